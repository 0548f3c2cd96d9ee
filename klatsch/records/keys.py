"""Keys of records: they decide a record's partition, and so the records with which it shares an order."""

from dataclasses import dataclass
from typing import Final

_ID_LENGTH: Final = 36


@dataclass(frozen=True, slots=True)
class KeyForm:
    """A prefix and an id as text. `field` is the field of the record's value that holds the id."""

    prefix: bytes
    field: str
    description: str

    def of(self, wanted_id: str) -> bytes:
        """Returns the key that names this id."""
        return self.prefix + wanted_id.encode("ascii")


CONVERSATION: Final = KeyForm(b"", "conversation", "The conversation's id.")
MEMBERS: Final = KeyForm(b"members:", "conversation", "In the partition of the conversation's id.")
PERSON: Final = KeyForm(b"user:", "user_id", "A person's own affairs.")
GATEWAY: Final = KeyForm(b"gateway:", "gateway", "The gateway, by an id of its own that each start makes anew.")
"""The key of records in the topic of signals."""
INVITATIONS: Final = KeyForm(b"invitations:", "user_id", "In the partition of `user:` and the invited person's id.")

CONVERSATION_KEY_LENGTH: Final = _ID_LENGTH
"""In bytes. Keys of any other length are not about messages."""
