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


@dataclass(slots=True)
class Group:
    """A group. `leaver` is removed by the owner and added again."""

    conversation: str
    owner: Person
    leaver: Person
