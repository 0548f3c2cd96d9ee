-- Who may come to PostgreSQL, each with the password that stands in their DATABASE_URL. Run as the superuser before every
-- migration: harmless when repeated, and how a changed password is made true.
\set ON_ERROR_STOP on
\set owner `sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' /run/secrets/database_url_owner`
\set app `sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' /run/secrets/database_url_app`
\set persister `sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' /run/secrets/database_url_persister`
\set readonly `sed 's|.*://[^:]*:\([^@]*\)@.*|\1|' /run/secrets/database_url_readonly`

-- No statement with a password in the server's log, even if it fails.
SET log_min_error_statement = panic;
SET log_statement = none;
SET password_encryption = 'scram-sha-256';

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['klatsch_owner', 'klatsch_app', 'klatsch_persister', 'klatsch_readonly']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE klatsch_owner PASSWORD :'owner';
ALTER ROLE klatsch_app PASSWORD :'app';
ALTER ROLE klatsch_persister PASSWORD :'persister';
ALTER ROLE klatsch_readonly PASSWORD :'readonly';
ALTER ROLE klatsch_readonly SET default_transaction_read_only = on;

SELECT 'CREATE DATABASE klatsch OWNER klatsch_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'klatsch') \gexec
REVOKE ALL ON DATABASE klatsch FROM PUBLIC;
GRANT CONNECT ON DATABASE klatsch TO klatsch_app, klatsch_persister, klatsch_readonly;
