"""The clients' frames on a WebSocket, as structs."""

from typing import Annotated, Any, Final

import msgspec

from klatsch.gateway.language.frames import FrameId

OPENED_MOST: Final = 3
"""The conversations that a connection has opened at once."""
SHOWN_PEOPLE_MOST: Final = 200
"""The people whose presence a connection shows at once."""


class ClientFrame(msgspec.Struct, frozen=True, tag_field="op"):
    """A frame from a client: the struct's tag is the operation's name, and `d` is its body."""

    id: FrameId
    d: Any


class HelloBody(msgspec.Struct, frozen=True):
    resume: str | None = None


class Hello(ClientFrame, frozen=True, tag="hello"):
    d: HelloBody = HelloBody()


class SendBody(msgspec.Struct, frozen=True):
    content: str
    client_id: str
    conversation: str | None = None
    to: str | None = None
    reply_to: str | None = None


class Send(ClientFrame, frozen=True, tag="send"):
    d: SendBody


class MarkBody(msgspec.Struct, frozen=True):
    conversation: str
    delivered: str | None = None
    read: str | None = None


class MarkFrame(ClientFrame, frozen=True, tag="mark"):
    d: MarkBody


class EditBody(msgspec.Struct, frozen=True):
    message: str
    position: str
    client_id: str
    content: str
    base: str | None = None


class EditFrame(ClientFrame, frozen=True, tag="edit"):
    d: EditBody


class DeleteBody(msgspec.Struct, frozen=True):
    message: str
    position: str
    client_id: str


class DeleteFrame(ClientFrame, frozen=True, tag="delete"):
    d: DeleteBody


class ReactBody(msgspec.Struct, frozen=True):
    message: str
    position: str
    client_id: str
    emoji: str
    on: bool


class ReactFrame(ClientFrame, frozen=True, tag="react"):
    d: ReactBody


class PinBody(msgspec.Struct, frozen=True):
    message: str
    position: str
    client_id: str
    on: bool


class PinFrame(ClientFrame, frozen=True, tag="pin"):
    d: PinBody


ChangeFrame = EditFrame | DeleteFrame | ReactFrame | PinFrame
"""The frames that change a message. `position` is the message's, and `client_id` names the change."""


class OpenBody(msgspec.Struct, frozen=True):
    conversations: Annotated[list[str], msgspec.Meta(max_length=OPENED_MOST)]


class OpenFrame(ClientFrame, frozen=True, tag="open"):
    d: OpenBody


class TypingFrameBody(msgspec.Struct, frozen=True):
    conversation: str
    on: bool


class TypingFrame(ClientFrame, frozen=True, kw_only=True, tag="typing"):
    """Says that you type, or no longer do. It has no answer and needs no `id`; with one, a refusal names it."""

    d: TypingFrameBody
    id: FrameId | None = None  # type: ignore[assignment]  # of this frame alone the base's id may be missing


class PresenceFrameBody(msgspec.Struct, frozen=True):
    users: Annotated[list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=SHOWN_PEOPLE_MOST)]


class PresenceFrame(ClientFrame, frozen=True, tag="presence"):
    d: PresenceFrameBody
