"""The records of a person's account in `klatsch.events`, version 1: the credentials that have ended (D13)."""

import hashlib
from typing import Annotated, Literal

import msgspec

from klatsch.records.values import Uuid

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class UserChanged(msgspec.Struct, frozen=True, tag_field="t", tag="user"):
    """A person's credentials have ended; with `deactivated`, nobody can write to the person any more.

    Credentials are named by digests, which are useful only for comparing. With `profile` none have ended, and
    `read_receipts` tells whether others may see what the person has read.
    """

    user: str
    user_id: Uuid
    what: Literal["ended", "deactivated", "profile"]
    credentials: Literal["all"] | list[Digest]
    read_receipts: bool | None = None
    v: Literal[1] = 1


def credential_digest(credential: str) -> str:
    """Returns a credential's name in records and lists: a digest of a session's key or of a stored token."""
    return hashlib.sha256(credential.encode()).hexdigest()
