"""Reads the settings of `klatsch.variables`. A bad or missing value stops the process with an error that names it."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from klatsch.variables import VARIABLES
from klatsch.variables.variable import Variable


class BadSetting(SystemExit):
    """Raised when a setting is missing or not valid. Its text names the setting and never its value."""


def load(source: Mapping[str, str]) -> dict[str, Any]:
    """Returns the value of every variable; raises BadSetting naming all missing and invalid variables."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable in VARIABLES:
        try:
            values[variable.name] = _value(variable, source)
        except ValueError as error:
            wrong.append(f"{variable.name} {error}")
    wrong += _missing_for_sasl(values)
    if "SSL" in str(values.get("KAFKA_SECURITY_PROTOCOL")) and not _is_readable(values["KAFKA_SSL_CA"]):
        wrong.append("KAFKA_SSL_CA names a file that cannot be read")
    if values.get("KLATSCH_SIGNALS") and values.get("KLATSCH_SIGNALS_TOPIC") == values.get("KLATSCH_TOPIC"):
        wrong.append("KLATSCH_SIGNALS_TOPIC must be another topic than KLATSCH_TOPIC")
    if wrong:
        raise BadSetting("Klatsch cannot start: " + "; ".join(wrong) + ". See .env.example, or run `make up`.")
    return values


def _is_readable(file: str) -> bool:
    """Returns whether the file can be read, or none is named."""
    return not file or os.access(file, os.R_OK)


def _missing_for_sasl(values: Mapping[str, Any]) -> Iterator[str]:
    if str(values.get("KAFKA_SECURITY_PROTOCOL", "")).startswith("SASL"):
        for name in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
            if values.get(name) == "":
                yield f"{name} is missing (KAFKA_SECURITY_PROTOCOL is a SASL protocol)"


def stand_in_for_missing(environment: MutableMapping[str, str]) -> None:
    """Gives missing required settings a placeholder that leads nowhere: `--help` needs no settings."""
    for name, value in _NOWHERE.items():
        if not environment.get(name) and not environment.get(f"{name}_FILE"):
            environment[name] = value


_NOWHERE = {
    "KLATSCH_SECRET_KEY": "-" * 50,
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
}


def _value(variable: Variable, source: Mapping[str, str]) -> Any:
    text = _text(variable, source)
    if not text:
        if variable.required:
            raise ValueError(f"is missing ({variable.effect})")
        return variable.default
    return _check(variable, _READ[variable.kind](text))


def _text(variable: Variable, source: Mapping[str, str]) -> str:
    text, file = source.get(variable.name, "").strip(), source.get(f"{variable.name}_FILE", "").strip()
    if not variable.secret or not file:
        return text
    if text:
        raise ValueError(f"is set twice: unset it or {variable.name}_FILE")
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read from the file that {variable.name}_FILE names") from error


def _check(variable: Variable, value: Any) -> Any:
    if variable.choices and value not in variable.choices:
        raise ValueError(f"must be one of {', '.join(variable.choices)}")
    parts = value if variable.kind is list else [value]
    if variable.shape and not all(re.fullmatch(variable.shape, part) for part in parts):
        raise ValueError(f"must be {variable.must_be}")
    if variable.least is not None and value < variable.least:
        raise ValueError(f"must be at least {variable.least}")
    if variable.most is not None and value > variable.most:
        raise ValueError(f"must be at most {variable.most}")
    return value


def _whole_number(text: str) -> int:
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise ValueError("must be a whole number")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise ValueError("must be 1 or 0")
    return text.lower() in {"1", "true", "yes", "on"}


_READ: dict[type, Callable[[str], Any]] = {
    str: str,
    int: _whole_number,
    bool: _yes_or_no,
    list: lambda text: [part.strip() for part in text.split(",") if part.strip()],
}


def database(url: str) -> dict[str, Any]:
    """Returns Django's entry for a PostgreSQL URL; raises BadSetting for any other database."""
    config: dict[str, Any] = {}
    if url.startswith(
        ("postgresql://", "postgres://")
    ):  # for other URLs environ warns and quotes them, passwords included
        with contextlib.suppress(ValueError):  # such as a port that is no number
            config = dict(environ.Env.db_url_config(url))
    if not config.get("NAME"):
        raise BadSetting(
            "Klatsch cannot start: DATABASE_URL must be postgresql://user:password@host:port/name. See .env.example."
        )
    return config


def email(url: str) -> dict[str, Any]:
    """Returns Django's settings for an e-mail URL; raises BadSetting."""
    try:
        return dict(environ.Env.email_url_config(url))
    except (ImproperlyConfigured, ValueError):
        raise BadSetting("Klatsch cannot start: EMAIL_URL is not a valid URL. See .env.example.") from None


def from_process(folder: Path) -> dict[str, Any]:
    """Returns the settings of this process: its environment, then `.env` in `folder` for variables that it lacks."""
    environ.Env.read_env(folder / ".env")
    return load(os.environ)
