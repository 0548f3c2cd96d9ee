"""Fills valid cases of the fuzzer with what exists, and with things of their own for whatever ends something."""

import secrets
from collections.abc import Callable
from typing import Any

from django.contrib.auth.tokens import default_token_generator

from klatsch.accounts.passwords import confirmation_tokens
from tests.fuzz.things import PASSWORD, Things

Fill = Callable[[Any], None]
"""Changes a schemathesis.Case, whose types leave open what its body is."""
_NOT_REACHED = {401, 429}
"""Answers after which nothing has happened to what the case was about."""


class Seeds:
    """A process's own. `fill` gives a valid case of an operation what it needs, `answered` hears how it went."""

    def __init__(self, url: str) -> None:
        self._things = things = Things(url)
        self._kept: dict[str, str] = {}
        self._named = {"send_to_user", "send_to_conversation", "put_message"}
        self.new_token = things.new_token
        self._fills: dict[str, Fill] = {
            "register": self._fill_registration,
            "log_in": self._fill_credentials,
            "create_token": self._fill_credentials,
            "deactivate": lambda case: case.body.update(password=PASSWORD),
            "end_session": self._own("session_id", things.new_session),
            "end_token": self._own("token_id", lambda: things.new_token()[:15]),
            "change_password": self._fill_password_change,
            "request_password_reset": lambda case: case.body.update(email=things.bob.email),
            "reset_password": self._fill_reset,
            "confirm_email": self._fill_confirmation,
            "create_group": lambda case: case.body.update(members=[things.bob.username]),
            "dissolve_group": self._own("conversation_id", things.new_group),
            "add_member": lambda case: case.body.update(username=things.bob.username),
            # A group of its own: with the last owner's role or membership most would be refused.
            "change_role": self._own("conversation_id", self._new_pair),
            "remove_member": self._own("conversation_id", self._new_pair),
            "transfer_group": self._fill_transfer,
            "invite_user": self._fill_invitation,
            "withdraw_invitation": self._own("invitation_id", lambda: things.new_invitation(things.ana, things.bob)),
            "accept_invitation": self._own("invitation_id", lambda: things.new_invitation(things.bob, things.ana)),
            "decline_invitation": self._own("invitation_id", lambda: things.new_invitation(things.bob, things.ana)),
            "block_user": self._fill_block,
            "unblock_user": self._fill_block,
            "edit_message": lambda case: case.body.pop("base", None),
            "delete_message": self._own("message_id", lambda: str(things.new_message()["id"])),
            "report_message": lambda case: case.path_parameters.update(message_id=things.message_of_bob["id"]),
            "mute_conversation": self._fill_mute,
            "mark_conversation": lambda case: case.body.update(
                read=things.message["position"], **self._delivered(case)
            ),
            "mark_unread": lambda case: case.body.update(position=things.message["position"]),
        }

    def fill(self, operation: str, case: Any) -> None:
        """Puts what exists in the place of what was made up; leaves all else as it is."""
        there = {
            "conversation_id": self._things.group,
            "username": self._things.bob.username,
            "message_id": self._things.message["id"],
            "emoji": "👍",
        }
        case.path_parameters.update({name: there[name] for name in there if name in case.path_parameters})
        for name in ("cursor", "at_least"):
            case.query.pop(name, None)
        case.headers.pop("Idempotency-Key", None)
        if operation == "sync":
            case.query.pop("since", None)
        if isinstance(case.body, dict) and operation in self._named:
            case.body.pop("client_id", None)  # two names would contradict each other, and the same name is a conflict
            if case.body.pop("reply_to", None) is not None and operation != "send_to_user":
                case.body["reply_to"] = self._things.message["id"]
            if "client_id" in case.path_parameters:
                case.path_parameters["client_id"] = self._things.new_name()
        if operation in self._fills:
            self._fills[operation](case)

    def answered(self, operation: str, status: int) -> None:
        """Forgets what a case has probably ended."""
        if status not in _NOT_REACHED:
            self._kept.pop(operation, None)

    def _own(self, parameter: str, make: Callable[[], str]) -> Fill:
        """Returns a fill with a thing that is made when the one before has been used."""

        def fill(case: Any) -> None:
            operation = case.operation.definition.raw["operationId"]
            if operation not in self._kept:
                self._kept[operation] = make()
            case.path_parameters[parameter] = self._kept[operation]

        return fill

    def _new_pair(self) -> str:
        """Makes a group of Ana and Bob."""
        return self._things.new_group(self._things.bob.username)

    def _fill_registration(self, case: Any) -> None:
        name = self._things.new_name()
        case.body.update(username=name, email=f"{name}@example.org", password=PASSWORD)

    def _fill_credentials(self, case: Any) -> None:
        if case.body:
            case.body.update(username=self._things.ana.username, password=PASSWORD)

    def _fill_password_change(self, case: Any) -> None:
        case.body.update(old_password=PASSWORD, new_password=f"{PASSWORD} {secrets.token_hex(4)}")

    def _fill_reset(self, case: Any) -> None:
        person = self._things.new_person()
        token = default_token_generator.make_token(person)
        case.body.update(uid=str(person.pk), token=token, new_password=f"another {PASSWORD}")

    def _fill_confirmation(self, case: Any) -> None:
        person = self._things.new_person(awaits_email=True)
        case.body.update(uid=str(person.pk), token=confirmation_tokens.make_token(person))

    def _fill_transfer(self, case: Any) -> None:
        self._own("conversation_id", self._new_pair)(case)
        case.body.update(username=self._things.bob.username)

    def _fill_invitation(self, case: Any) -> None:
        case.body.update(conversation=self._things.group, username=self._things.new_person().username)

    def _fill_block(self, case: Any) -> None:
        case.path_parameters.update(username=self._things.carol.username)

    def _fill_mute(self, case: Any) -> None:
        if isinstance(case.body, dict):
            case.body.pop("until", None)  # most times are past or too far

    def _delivered(self, case: Any) -> dict[str, str]:
        return {"delivered": self._things.message["position"]} if "delivered" in case.body else {}
