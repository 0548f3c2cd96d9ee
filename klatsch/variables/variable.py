"""A setting, with all that its readers are told of it, and a group of settings."""

from dataclasses import dataclass
from typing import Any, Final

REQUIRED: Final = object()
"""The default of a setting that has none."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable. `effect` is its text on the settings page; bounds are inclusive.

    The whole text, or each part of a list, must match `shape`; `must_be` says so to people. A `secret` may also stand
    in a file, whose path is in `NAME_FILE`: containers pass secrets so.
    """

    name: str
    kind: type
    default: Any
    effect: str
    least: int | None = None
    most: int | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    shape: str = ""
    must_be: str = ""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that belong together. `title` is their heading; `remark` applies to all of them."""

    title: str
    remark: str
    variables: tuple[Variable, ...]
