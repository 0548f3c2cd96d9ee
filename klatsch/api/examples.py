"""The OpenAPI document's examples, by shape: Ana's first day. Tests hold each example to its schema."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from drf_spectacular.utils import OpenApiExample

from klatsch.archive.message_view import view_of_posted
from klatsch.core.errors import FieldError
from klatsch.core.problems import CONTENT_TYPE, Problem
from klatsch.records.examples import INVITED, NOW, POSITION, POSTED

_ANA: Final = {"id": "0a000000-0000-4000-8000-00000000000a", "username": "ana"}
_BOB: Final = {"id": "0b000000-0000-4000-8000-00000000000b", "username": "bob"}
_LATER: Final = "2026-12-23T20:00:00.000Z"
_PASSWORD: Final = "correct horse battery"  # noqa: S105 - an example
_NEW_PASSWORD: Final = "staple correct horse"  # noqa: S105 - an example
_SAID: Final = {"display_name": "Ana", "about": "Coffee, mostly.", "read_receipts": True}
_PROOF: Final = {"uid": _ANA["id"], "token": "d0n7ru-5f3c8f0f5b2e4b1f9a"}
_POSTED: Final = msgspec.structs.replace(
    POSTED,
    id="0f4e7145-2973-5d9c-a3dc-3990f45ad40a",
    conversation="7ea00000-0000-4000-8000-000000000001",
    receiver=None,
    content="Tea at four?",
)
_MESSAGE: Final[dict[str, Any]] = msgspec.json.decode(msgspec.json.encode(view_of_posted(_POSTED, POSITION, seq=1)))
_MEMBERS: Final = [
    {"user": "ana", "user_id": _ANA["id"], "role": "owner"},
    {"user": "bob", "user_id": _BOB["id"], "role": "member"},
]
_MARKERS: Final = {"delivered": POSITION, "read": POSITION}
_DESCRIPTION: Final = "Every day at four."
_GROUP: Final = {
    "id": _MESSAGE["conversation"],
    "kind": "group",
    "title": "Tea",
    "description": _DESCRIPTION,
    "version": 1,
    "updated_at": NOW,
    "member_count": 2,
    "members": _MEMBERS,
    "last_message": _MESSAGE,
    "muted_until": None,
    "pinned": [_MESSAGE["id"]],
    "unread": 3,
    "mentions": 1,
    "markers": _MARKERS,
    "unread_from": None,
}
_CREATED: Final = {"created_at": NOW, "last_used_at": NOW, "expires_at": _LATER, "device": "Firefox on Linux"}
_REPORT: Final = {"reason": "spam", "detail": "The tenth time today."}

EXAMPLES: Final[Mapping[str, Any]] = {
    "Registration": {"username": "ana", "email": "ana@example.org", "password": _PASSWORD},
    "Credentials": {"username": "ana", "password": _PASSWORD},
    "SignInLink": {"token": "2Yg1Lk0o3mJ5s8u1w4z7C0F3I6L9O2R5U8X1a4d7g0j"},
    "Profile": {**_ANA, "email": "ana@example.org", "date_joined": NOW, **_SAID},
    "ProfileChange": _SAID,
    "OwnPassword": {"password": _PASSWORD},
    "PasswordChange": {"old_password": _PASSWORD, "new_password": _NEW_PASSWORD},
    "Reset": {"email": "ana@example.org"},
    "Proof": _PROOF,
    "NewPassword": {**_PROOF, "new_password": _NEW_PASSWORD},
    "NewToken": {"token": "f00d5ca1ab1e0000c0ffee", "expires_at": _LATER},
    "Token": {"id": "f00d5ca1ab1e000", **_CREATED},
    "NewTicket": {"ticket": "kQ2vZ0m3T9o", "expires_in": 30},
    "Session": {"id": "9f86d081884c7d65", **_CREATED, "current": True},
    "Person": _BOB,
    "Card": {**_BOB, "display_name": "Bob", "about": ""},
    "GroupChange": {"title": "Tea", "description": _DESCRIPTION},
    "GroupBody": {"title": "Tea", "description": _DESCRIPTION, "members": ["bob", "cid"]},
    "Conversation": _GROUP,
    "NewGroup": _GROUP | {"last_message": None, "unread": 0, "mentions": 0, "invited": ["cid"]},
    "InvitationBody": {"conversation": _GROUP["id"], "username": "ana"},
    "Invitation": {name: value for name, value in msgspec.to_builtins(INVITED).items() if name not in {"t", "v"}},
    "Block": {"user": "bob", "user_id": _BOB["id"], "blocked_at": NOW},
    "ReportBody": _REPORT,
    "Report": {"message": _MESSAGE["id"], **_REPORT},
    "MarkBody": _MARKERS,
    "UnreadFromBody": {"position": POSITION},
    "OwnMarkers": _MARKERS,
    "OwnMarker": {**_MARKERS, "unread_from": None},
    "MemberMarker": {"user": "bob", "user_id": _BOB["id"], **_MARKERS},
    "MuteBody": {"until": _LATER},
    "Mute": {"muted_until": _LATER},
    "MemberBody": {"username": "bob"},
    "RoleBody": {"role": "admin"},
    "FullMember": {**_MEMBERS[1], "joined_at": NOW},
    "MessageBody": {"content": _MESSAGE["content"], "client_id": _MESSAGE["client_id"]},
    "EditBody": {"content": "Tea at five?", "base": POSITION},
    "Message": _MESSAGE,
    "Version": {"content": _MESSAGE["content"], "written_at": NOW, "position": POSITION},
    "Reaction": {"emoji": "👍", "user": "bob", "user_id": _BOB["id"], "position": POSITION},
}

_TITLE_ERROR: Final = FieldError("title", "required", "This field is required.")
_PROBLEMS: Final = {
    400: Problem(400, "bad_request", "The request is not valid. `errors` names the fields.", (_TITLE_ERROR,)),
    401: Problem(401, "not_authenticated", "Authentication credentials were not provided."),
    403: Problem(403, "forbidden", "Only an owner of the group may do this."),
    404: Problem(404, "not_found", "There is no such resource, or you may not see it."),
    409: Problem(409, "conflict", "Another message has this client_id."),
    410: Problem(410, "gone", "This message was deleted."),
    411: Problem(411, "length_required", "Send a Content-Length header. Chunked bodies are not accepted."),
    413: Problem(413, "too_large", "The body is too large. Send at most 262144 bytes."),
    415: Problem(415, "unsupported_media_type", 'Unsupported media type "text/plain" in request.'),
    429: Problem(429, "rate_limited", "You are sending too fast. Try again later.", retry_after=1.5),
    503: Problem(503, "unavailable", "The archive cannot be reached. Try again.", retry_after=2),
}


def request_example(shape: type) -> OpenApiExample:
    """Returns the example body of that shape."""
    return OpenApiExample("request", example_of(shape), request_only=True)


def answer_examples(answers: Mapping[int, Any]) -> Iterator[OpenApiExample]:
    """Yields an example for each status that has a body."""
    for status, shape in answers.items():
        if shape is not None:
            value = example_of(shape)
            if status == HTTPStatus.ACCEPTED and "seq" in value:  # a message that is not archived yet
                value = {**value, "seq": None}
            yield OpenApiExample(f"answer {status}", value, response_only=True, status_codes=[str(status)])


def problem_example(status: int) -> OpenApiExample:
    """Returns the example problem of that status."""
    body = _PROBLEMS[status].body()
    return OpenApiExample(
        f"problem {status}", body, response_only=True, status_codes=[str(status)], media_type=CONTENT_TYPE
    )


def example_of(shape: Any) -> Any:
    """Returns a serializer's example; for a page, one row and no neighbours. Raises KeyError where none exists."""
    row = getattr(shape, "row", None)
    if row is not None:
        return {"results": [example_of(row)], "next": None, "previous": None}
    return EXAMPLES[shape.__name__.removesuffix("Serializer")]
