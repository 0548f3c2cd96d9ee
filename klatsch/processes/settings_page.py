"""docs/settings.md, from the variables that `klatsch.env` reads: written by `manage.py settings`."""

import re

from klatsch.env import VARIABLES, Variable

_UNIT = re.compile(r"\((ms|s|min|hours|days|bytes|1/s|1/h)\)")
_HEAD = """# Settings

<!-- Written by `manage.py settings` from klatsch/env.py: change it there. -->

Environment variables of every process; a file `.env` in the working copy gives what the environment does not. A value
that is missing or cannot be used stops a process at its start, naming the variable and never its value.

Those marked *secret* may come from a file, as containers have them: `NAME_FILE=/run/secrets/name` instead of `NAME`.

Behind a proxy that ends TLS, set `KLATSCH_PROXY_TLS=1`, and let the proxy overwrite `X-Forwarded-Proto`. Without
`KLATSCH_INSECURE_COOKIES` everything is https: cookies are `Secure`, plain http is redirected, HSTS lasts a year, with
subdomains. `KLATSCH_ORIGINS` are CSRF's trusted origins too. A page served elsewhere needs `KLATSCH_CORS_ORIGINS`.

| variable | default | unit | bounds | effect |
|---|---|---|---|---|
"""


def settings_page() -> str:
    """The whole page, as Markdown."""
    return _HEAD + "".join(map(_row, VARIABLES))


def _row(variable: Variable) -> str:
    unit = _UNIT.search(variable.effect)
    secret = " *Secret.*" if variable.secret else ""
    effect = variable.effect.replace("|", "\\|")
    cells = (f"`{variable.name}`", _default(variable), unit[1] if unit else "", _bounds(variable), effect + secret)
    return f"| {' | '.join(cells)} |\n"


def _default(variable: Variable) -> str:
    if variable.required:
        return "**needed**"
    if variable.kind is bool:
        return f"`{int(variable.default)}`"
    return f"`{variable.default}`" if variable.default not in ("", []) else "empty"


def _bounds(variable: Variable) -> str:
    if variable.choices:
        return ", ".join(f"`{choice}`" for choice in variable.choices)
    if variable.kind is bool:
        return "`0`, `1`"
    return "" if variable.least is None else f"{variable.least} to {variable.most}"
