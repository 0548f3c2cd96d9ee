"""The records of `klatsch.signals`, version 1: what is said once and never kept (D20). They are no kinds of the log."""

from typing import Annotated, Final, Literal, TypeVar

import msgspec

from klatsch.records.values import Uuid

T = TypeVar("T")
SIGNAL_PEOPLE_MOST: Final = 1_000
"""The people of one record, 39 kB; more are told in several."""


class TypingSignal(msgspec.Struct, frozen=True, tag_field="t", tag="typing"):
    """A person types in a conversation, or has stopped. Receivers let `on` expire after 8 s."""

    conversation: Uuid
    user: str
    user_id: Uuid
    on: bool
    v: Literal[1] = 1


class PresenceSignal(msgspec.Struct, frozen=True, tag_field="t", tag="presence"):
    """People, by their ids, who are connected to one gateway (`online`) or are not any more (`offline`).

    A person whom no record of the gateway has named for 90 s counts as offline there. With `leaving` the gateway ends,
    and its people have 15 s to connect to another one.
    """

    gateway: Uuid
    online: Annotated[list[Uuid], msgspec.Meta(max_length=SIGNAL_PEOPLE_MOST)] = []
    offline: Annotated[list[Uuid], msgspec.Meta(max_length=SIGNAL_PEOPLE_MOST)] = []
    leaving: bool = False
    v: Literal[1] = 1


class BadSignal(ValueError):
    """A record that is none of Klatsch's signals."""


def decode_typing(value: bytes) -> TypingSignal:
    """Returns the signal of a record's value; raises BadSignal."""
    return _decode(_typing, value)


def decode_presence(value: bytes) -> PresenceSignal:
    """Returns the signal of a record's value; raises BadSignal."""
    return _decode(_presence, value)


def _decode(decoder: "msgspec.json.Decoder[T]", value: bytes) -> T:
    try:
        return decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadSignal from error


_typing: Final = msgspec.json.Decoder(TypingSignal)
_presence: Final = msgspec.json.Decoder(PresenceSignal)
SIGNALS: Final[dict[str, type[msgspec.Struct]]] = {"signal_typing": TypingSignal, "signal_presence": PresenceSignal}
"""The structs by the names of their schemas."""
