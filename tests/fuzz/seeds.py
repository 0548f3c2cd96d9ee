"""What exists for the fuzzer: people, a group with messages, and things of one's own for whatever ends something."""

import itertools
import secrets
from collections.abc import Callable
from typing import Any

import requests
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.test import Client

from klatsch.accounts.credentials import list_sessions
from klatsch.accounts.hashing import BCryptSHA256PasswordHasher
from klatsch.accounts.models import User
from klatsch.accounts.passwords import confirmation_tokens
from klatsch.accounts.services import create_token

PASSWORD = "correct horse battery"
_DEADLINE_S = 20
_QUICK_ROUNDS = 4

Fill = Callable[[Any], None]
"""Changes a schemathesis.Case, whose types leave open what its body is."""


class Seeds:
    """A process's own. `fill` gives a valid case of an operation what it needs; Ana asks, Bob is who she deals with."""

    def __init__(self, url: str) -> None:
        self._v1 = f"{url}/api/v1"
        self._numbers = itertools.count()
        self._run = secrets.token_hex(4)
        self.ana, self.bob = self._person(), self._person()
        self._token = create_token(person=self.ana).token
        self.group = self._new_group()
        self.position = self._ask("POST", f"conversations/{self.group}/messages", {"content": "hi"})["position"]
        self._named = {"send_to_user", "send_to_conversation", "put_message"}
        self._fills: dict[str, Fill] = {
            "register": self._fill_registration,
            "log_in": self._fill_credentials,
            "create_token": self._fill_credentials,
            "deactivate": lambda case: case.body.update(password=PASSWORD),
            "end_session": lambda case: case.path_parameters.update(session_id=self._new_session()),
            "end_token": lambda case: case.path_parameters.update(token_id=self.new_token()[:15]),
            "change_password": self._fill_password_change,
            "request_password_reset": lambda case: case.body.update(email=self.bob.email),
            "reset_password": self._fill_reset,
            "confirm_email": self._fill_confirmation,
            "create_group": lambda case: case.body.update(members=[self.bob.username]),
            "dissolve_group": lambda case: case.path_parameters.update(conversation_id=self._new_group()),
            "add_member": lambda case: case.body.update(username=self.bob.username),
            "change_role": self._fill_member,
            "remove_member": self._fill_member,
            "transfer_group": self._fill_transfer,
            "invite_user": lambda case: case.body.update(conversation=self.group, username=self._person().username),
            "withdraw_invitation": lambda case: case.path_parameters.update(invitation_id=self._invite(self.bob)),
            "accept_invitation": lambda case: case.path_parameters.update(invitation_id=self._invite(self.ana)),
            "decline_invitation": lambda case: case.path_parameters.update(invitation_id=self._invite(self.ana)),
        }

    def fill(self, operation: str, case: Any) -> None:
        """Puts what exists in the place of what was made up; leaves all else as it is."""
        for name, value in (("conversation_id", self.group), ("username", self.bob.username)):
            if name in case.path_parameters:
                case.path_parameters[name] = value
        for name in ("cursor", "at_least"):
            case.query.pop(name, None)
        case.headers.pop("Idempotency-Key", None)
        if operation == "sync":
            case.query.pop("since", None)
        if isinstance(case.body, dict) and operation in self._named:
            case.body.pop("client_id", None)  # two names would contradict each other, and the same name is a conflict
            if "client_id" in case.path_parameters:
                case.path_parameters["client_id"] = self._new_name()
        if operation in self._fills:
            self._fills[operation](case)

    def _fill_registration(self, case: Any) -> None:
        name = self._new_name()
        case.body.update(username=name, email=f"{name}@example.org", password=PASSWORD)

    def _fill_credentials(self, case: Any) -> None:
        if case.body:
            case.body.update(username=self.ana.username, password=PASSWORD)

    def _fill_password_change(self, case: Any) -> None:
        case.body.update(old_password=PASSWORD, new_password=f"{PASSWORD} {secrets.token_hex(4)}")

    def _fill_reset(self, case: Any) -> None:
        person = self._person()
        token = default_token_generator.make_token(person)
        case.body.update(uid=str(person.pk), token=token, new_password=f"another {PASSWORD}")

    def _fill_confirmation(self, case: Any) -> None:
        person = self._person(awaits_email=True)
        case.body.update(uid=str(person.pk), token=confirmation_tokens.make_token(person))

    def _fill_member(self, case: Any) -> None:
        """A group of its own: with the last owner's role or membership most would be refused."""
        group = self._new_group(self.bob.username)
        case.path_parameters.update(conversation_id=group, username=self.bob.username)

    def _fill_transfer(self, case: Any) -> None:
        case.path_parameters.update(conversation_id=self._new_group(self.bob.username))
        case.body.update(username=self.bob.username)

    def _invite(self, person: User) -> str:
        """Of Ana by Bob, or the other way round: to a group of its own."""
        inviter = self.bob if person is self.ana else self.ana
        token = create_token(person=inviter).token
        group = self._ask("POST", "conversations", {"title": "Tea", "members": []}, token)["id"]
        body = {"conversation": group, "username": person.username}
        return str(self._ask("POST", "invitations", body, token)["id"])

    def _new_name(self) -> str:
        return f"fuzz{self._run}n{next(self._numbers)}"

    def _person(self, **fields: Any) -> User:
        name = self._new_name()
        hasher = BCryptSHA256PasswordHasher()
        hasher.rounds = _QUICK_ROUNDS
        password = make_password(PASSWORD, hasher=hasher)
        person: User = User.objects.create(username=name, email=f"{name}@example.org", password=password, **fields)
        return person

    def new_token(self, operation: str = "") -> str:
        """One of Ana's; of somebody else's for what ends all of a person's."""
        person = self._person() if operation in {"change_password", "deactivate"} else self.ana
        person.refresh_from_db()  # a sign-in has made the quick hash anew, and who asks has another password since
        return create_token(person=person).token

    def _new_session(self) -> str:
        Client().force_login(self.ana)
        [newest] = list_sessions(person_id=self.ana.pk, current="", limit=1)
        return newest.id

    def _new_group(self, *members: str) -> str:
        return str(self._ask("POST", "conversations", {"title": "Tea", "members": members})["id"])

    def _ask(self, method: str, path: str, body: Any, token: str = "") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token or self._token}"}
        answer = requests.request(method, f"{self._v1}/{path}", json=body, headers=headers, timeout=_DEADLINE_S)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
