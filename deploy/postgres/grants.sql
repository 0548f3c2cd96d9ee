-- What each role may do with the tables that there are now. Run as the superuser after every migration, in one transaction.
\set ON_ERROR_STOP on
BEGIN;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM klatsch_app, klatsch_persister, klatsch_readonly;

-- Gateways and api: all rows; not the tables' shape, and not which migrations have been applied.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO klatsch_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM klatsch_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO klatsch_app, klatsch_persister;

-- The persister: it writes the archive and marks what is relayed. It cannot read or make a credential.
-- Who only reads sees the same: for reports, with no credential and no e-mail address.
DO $$
DECLARE
    name text;
    columns text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        IF name LIKE 'messaging\_%' THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO klatsch_persister', name);
            EXECUTE format('GRANT SELECT ON %I TO klatsch_readonly', name);
        ELSIF name LIKE 'conversations\_%' OR name LIKE 'eventlog\_%' OR name = 'django_migrations' THEN
            EXECUTE format('GRANT SELECT ON %I TO klatsch_persister, klatsch_readonly', name);
        END IF;
    END LOOP;
    -- Its clean-ups end old invitations, with a record in the outbox, and correct the numbers of members.
    GRANT INSERT, UPDATE, DELETE ON eventlog_outboxentry TO klatsch_persister;
    GRANT UPDATE (state, changed_at, version), DELETE ON conversations_invitation TO klatsch_persister;
    GRANT UPDATE (member_count) ON conversations_conversation TO klatsch_persister;
    SELECT string_agg(quote_ident(column_name), ', ') INTO columns
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = 'accounts_user'
        AND column_name NOT IN ('password', 'email', 'last_login');
    EXECUTE format('GRANT SELECT (%s) ON accounts_user TO klatsch_persister, klatsch_readonly', columns);
END
$$;

COMMIT;
