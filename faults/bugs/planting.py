"""Plants a bug by its name, in this process, once Django is set up."""

from collections.abc import Callable
from inspect import isfunction

from faults.bugs import of_changes, of_delivering, of_sending, of_storing

_MODULES = (of_storing, of_delivering, of_sending, of_changes)


def planters() -> dict[str, Callable[[], None]]:
    """Returns the functions that plant bugs, by name."""
    return {
        name: value
        for module in _MODULES
        for name, value in vars(module).items()
        if isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }


def plant(name: str) -> None:
    """Plants a bug; raises KeyError for an unknown one."""
    planters()[name]()
