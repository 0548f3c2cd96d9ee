"""Who talks in a run, and where."""

from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with a bearer token; those who will be signed out have a password too."""

    username: str
    token: str
    user_id: str = ""
    password: str = ""
    conversations: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """`leaver` is removed by the owner and let in again."""

    conversation: str
    owner: Person
    leaver: Person
