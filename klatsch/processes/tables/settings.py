"""The settings as docs/settings.md and .env.example show them."""

import re
from typing import Final

from klatsch.processes.tables.markdown import table
from klatsch.variables import GROUPS, VARIABLES
from klatsch.variables.variable import Group, Variable

_UNIT: Final = re.compile(r"\((ms|s|min|hours|days|bytes|1/s|1/h)\)")


def settings_table() -> str:
    """Returns a row for each setting, with default, unit, bounds and effect."""
    return table(("variable", "default", "unit", "bounds", "effect"), map(_row, VARIABLES))


def settings_example() -> str:
    """Returns all settings by groups, each behind a `#` with its default."""
    return "\n".join(map(_example_of, GROUPS))


def _row(variable: Variable) -> tuple[str, ...]:
    unit = _UNIT.search(variable.effect)
    secret = " *Secret.*" if variable.secret else ""
    return (
        f"`{variable.name}`",
        _default(variable),
        unit[1] if unit else "",
        _bounds(variable),
        variable.effect + secret,
    )


def _default(variable: Variable) -> str:
    if variable.required:
        return "**needed**"
    return f"`{_as_text(variable)}`" if _as_text(variable) else "empty"


def _as_text(variable: Variable) -> str:
    """Returns the default as the environment would hold it."""
    if variable.required or variable.kind is list:
        return ""
    return str(int(variable.default) if variable.kind is bool else variable.default)


def _bounds(variable: Variable) -> str:
    if variable.choices:
        return ", ".join(f"`{choice}`" for choice in variable.choices)
    if variable.kind is bool:
        return "`0`, `1`"
    return "" if variable.least is None else f"{variable.least} to {variable.most}"


def _example_of(group: Group) -> str:
    heading = f"## {group.title}{'. ' if group.remark else ''}{group.remark}\n"
    return heading + "".join(map(_example, group.variables))


def _example(variable: Variable) -> str:
    bounds = _bounds(variable).replace("`", "")
    if variable.choices:
        bounds = f"One of {bounds}"
    elif variable.kind is bool:
        bounds = "1 or 0"
    return f"# {variable.effect}{f' {bounds}.' if bounds else ''}\n#{variable.name}={_as_text(variable)}\n"
