"""The people and conversations of a run."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Person:
    """A person with a bearer token; people who will be signed out also have a password."""

    username: str
    token: str
    user_id: str = ""
    password: str = ""
    conversations: list[str] = field(default_factory=list)
    leads: set[str] = field(default_factory=set)
    """The groups that the person owns or administers, or did: a demoted admin goes on to try."""
    peers: dict[str, list[str]] = field(default_factory=dict)
    """The usernames of the other people of each conversation."""


@dataclass(slots=True)
class Talk:
    """A direct conversation. `blocker` blocks `blocked` and lifts the block again."""

    conversation: str
    blocker: Person
    blocked: Person


@dataclass(slots=True)
class Group:
    """A group. `leaver` is removed by the owner and added again, `admin` demoted and promoted."""

    conversation: str
    owner: Person
    leaver: Person
    admin: Person
