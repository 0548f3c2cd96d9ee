"""Django's sessions in a table that knows their people, so that they can be listed and ended one by one (D13).

This module is the SESSION_ENGINE. Every session begins through `SessionStore.save` and ends through
`SessionStore.delete`: by sign-out here or in the admin, a new sign-in, or a changed password.
"""

from typing import Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.db import transaction
from django.utils import timezone

from klatsch.accounts.caps import end_surplus_sessions
from klatsch.accounts.credentials import USED_EVERY
from klatsch.accounts.models import Session, User
from klatsch.accounts.person_lock import lock_person
from klatsch.accounts.revocation import promise_end
from klatsch.accounts.texts import DEVICE_CHARACTERS_MOST
from klatsch.records.people import credential_digest

DEVICE = "device"
_SINCE = "since"


class SessionStore(DatabaseSessions):
    """Django's session store that also queues, in one transaction, a record for each session it deletes."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        session: Session | None = self._get_session_from_db()  # type: ignore[attr-defined]  # the stubs lack it
        if session is None:
            return {}
        now = timezone.now()
        if now - session.last_used_at > USED_EVERY:
            Session.objects.filter(pk=session.pk).update(last_used_at=now)
        found: dict[str, Any] = self.decode(session.session_data)
        return found

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        key: str = self._get_or_create_session_key()  # type: ignore[attr-defined]  # the stubs lack it
        now = timezone.now()
        data.setdefault(_SINCE, now.isoformat())
        return Session(
            session_key=key,
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            digest=credential_digest(key),
            user_id=data.get(SESSION_KEY),
            auth_hash=data.get(HASH_SESSION_KEY, ""),
            device=str(data.get(DEVICE, ""))[:DEVICE_CHARACTERS_MOST],
            created_at=data[_SINCE],
            last_used_at=now,
        )

    def save(self, must_create: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Saves like Django; raises UpdateError when the person may no longer sign in by that password.

        Django creates a session before it sets the person, and cycles its key before it sets the new password's hash.
        A session therefore counts only once it has been saved again.
        """
        with transaction.atomic():
            if must_create or SESSION_KEY not in self:
                super().save(must_create)
                return
            person = self._check_person()
            super().save(must_create)
            end_surplus_sessions(person, kept=self.session_key or "")

    def _check_person(self) -> User:
        person = lock_person(UUID(self[SESSION_KEY]))
        began_with = self.get(HASH_SESSION_KEY, "")
        if person is None or not person.is_active or began_with != person.get_session_auth_hash():
            raise UpdateError
        return person

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        with transaction.atomic():
            person = lock_person(Session.objects.filter(pk=key).values_list("user_id", flat=True).first())
            ended = Session.objects.filter(pk=key).first()
            super().delete(session_key)
            if ended is not None and person is not None:
                promise_end(person, [ended.digest])
