"""Things for the fuzzer, made over REST or in the database: people and what they sign in with, groups, messages."""

import itertools
import secrets
import time
from typing import Any

import requests
from django.contrib.auth.hashers import make_password
from django.test import Client

from klatsch.accounts.credentials import list_sessions
from klatsch.accounts.hashing import BCryptSHA256PasswordHasher
from klatsch.accounts.models import User
from klatsch.accounts.services import create_token

PASSWORD = "correct horse battery"
_DEADLINE_S = 20
_AGAIN_S = 0.05
_QUICK_ROUNDS = 4


class Things:
    """Makes things for Ana, who deals with Bob; Carol has met nobody. A group has a message of Ana's and of Bob's."""

    def __init__(self, url: str) -> None:
        self._v1 = f"{url}/api/v1"
        self._numbers = itertools.count()
        self._run = secrets.token_hex(4)
        self.ana, self.bob, self.carol = self.new_person(), self.new_person(), self.new_person()
        self._tokens = {person.username: create_token(person=person).token for person in (self.ana, self.bob)}
        self.group = self.new_group(self.bob.username)
        self.message = self.new_message()
        self.message_of_bob = self.new_message(self.bob)

    def new_name(self) -> str:
        return f"fuzz{self._run}n{next(self._numbers)}"

    def new_person(self, **fields: Any) -> User:
        name = self.new_name()
        hasher = BCryptSHA256PasswordHasher()
        hasher.rounds = _QUICK_ROUNDS
        password = make_password(PASSWORD, hasher=hasher)
        person: User = User.objects.create(username=name, email=f"{name}@example.org", password=password, **fields)
        return person

    def new_token(self, operation: str = "") -> str:
        """Makes a token of Ana's, or somebody else's for what ends all of a person's."""
        person = self.new_person() if operation in {"change_password", "deactivate"} else self.ana
        person.refresh_from_db()  # a sign-in has made the quick hash anew, and who asks has another password since
        return create_token(person=person).token

    def new_session(self) -> str:
        Client().force_login(self.ana)
        [newest] = list_sessions(person_id=self.ana.pk, current="", limit=1)
        return newest.id

    def new_group(self, *members: str, owner: User | None = None) -> str:
        return str(self._post("conversations", {"title": "Tea", "members": members}, owner)["id"])

    def new_message(self, sender: User | None = None) -> dict[str, Any]:
        return self._post(f"conversations/{self.group}/messages", {"content": "hi"}, sender)

    def new_invitation(self, inviter: User, invited: User) -> str:
        """Makes an invitation to a group of the inviter's."""
        body = {"conversation": self.new_group(owner=inviter), "username": invited.username}
        return str(self._post("invitations", body, inviter)["id"])

    def _post(self, path: str, body: Any, person: User | None) -> dict[str, Any]:
        """Asks as Ana, or as somebody else; again for as long as that is too often."""
        headers = {"Authorization": f"Bearer {self._tokens[(person or self.ana).username]}"}
        deadline_s = time.monotonic() + _DEADLINE_S
        while True:
            answer = requests.post(f"{self._v1}/{path}", json=body, headers=headers, timeout=_DEADLINE_S)
            if answer.status_code != requests.codes.too_many_requests or time.monotonic() > deadline_s:
                break
            time.sleep(_AGAIN_S)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
