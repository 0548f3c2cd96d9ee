"""Credentials of people, and the records and e-mails that follow when a credential ends."""

from django.test import Client
from knox.models import AuthToken

from klatsch.accounts.credentials import HeldCredential, find_live
from klatsch.accounts.mail import mailer
from klatsch.accounts.models import User
from klatsch.eventlog.models import OutboxEntry
from klatsch.records.kinds import KINDS
from klatsch.records.people import UserChanged, credential_digest
from tests.integration.people import bearer
from tests.support.waiting import wait_until


def promised() -> list[UserChanged]:
    """Returns the queued records of people's own affairs, in order."""
    events = [KINDS.decode(bytes(row.value)) for row in OutboxEntry.objects.order_by("id")]
    return [event for event in events if isinstance(event, UserChanged)]


def ended() -> set[str]:
    """Returns the digests that the log has been promised as ended."""
    return {digest for event in promised() if event.credentials != "all" for digest in event.credentials}


def session_of(person: User) -> tuple[Client, str]:
    """Returns somebody's browser, and the digest of its session."""
    client = Client()
    client.force_login(person)
    return client, credential_digest(client.cookies["sessionid"].value)


def token_of(person: User) -> tuple[dict[str, str], str]:
    """Returns somebody's header, and the digest of its token."""
    before = set(AuthToken.objects.values_list("pk", flat=True))
    headers = bearer(person)
    [made] = AuthToken.objects.exclude(pk__in=before)
    return headers, credential_digest(made.pk)


def live(person: User, *digests: str) -> set[str]:
    return find_live([HeldCredential(person.pk, digest) for digest in digests])


def settled() -> None:
    """Waits until the mailer has done all that it was asked for."""
    done: list[bool] = []
    mailer().submit(lambda: done.append(True))
    wait_until(lambda: done)
