"""Holds the two documents to validators that others wrote: of OpenAPI on PyPI, of AsyncAPI as its own JSON Schema."""

import functools
import json
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

_ASYNCAPI = Path(__file__).parent / "asyncapi-3.0.0.json"


def openapi_errors(document: dict[str, Any]) -> list[str]:
    """Returns what is wrong with an OpenAPI 3.1 document."""
    return [f"{error.json_path}: {error.message}" for error in OpenAPIV31SpecValidator(document).iter_errors()]


def asyncapi_errors(document: dict[str, Any]) -> list[str]:
    """Returns what is wrong with an AsyncAPI 3.0 document by its JSON Schema, which follows no reference."""
    return [f"{error.json_path}: {error.message}" for error in _asyncapi().iter_errors(document)]


@functools.cache
def _asyncapi() -> Draft7Validator:
    return Draft7Validator(json.loads(_ASYNCAPI.read_text()))
