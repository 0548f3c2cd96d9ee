"""The records of a person's own affairs in `klatsch.events`, version 1: which of their credentials have ended (D13)."""

import hashlib
from typing import Annotated, Literal

import msgspec

from klatsch.records.values import Uuid

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class UserChanged(msgspec.Struct, frozen=True, tag_field="t", tag="user"):
    """Credentials of a person have ended, and with `deactivated` the person is no longer to be written to.

    A credential is named by a digest, which is good for nothing but being compared.
    """

    user: str
    user_id: Uuid
    what: Literal["ended", "deactivated"]
    credentials: Literal["all"] | list[Digest]
    v: Literal[1] = 1


def credential_digest(credential: str) -> str:
    """Returns a credential's name in records and lists: a digest of a session's key or of a stored token."""
    return hashlib.sha256(credential.encode()).hexdigest()
