"""The records of `klatsch.signals`, version 1: what is said once and never kept (D20). They are no kinds of the log."""

from typing import Annotated, Final, Literal

import msgspec

from klatsch.records.values import Uuid

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


decode_typing = msgspec.json.Decoder(TypingSignal).decode
decode_presence = msgspec.json.Decoder(PresenceSignal).decode
SIGNALS: Final[dict[str, type[msgspec.Struct]]] = {"signal_typing": TypingSignal, "signal_presence": PresenceSignal}
"""The structs by the names of their schemas."""
