"""The authorization table is complete: each endpoint and each operation of a socket has a row."""

import re
from typing import Any, Final, cast

from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

from klatsch.gateway.language.ops import OPS
from tests.e2e.authorization.personal import OPEN, PERSONAL
from tests.e2e.authorization.scene import Scene
from tests.e2e.authorization.table import ACTIONS, ROLES, rights_of

_PARAMETER: Final = re.compile(r"<\w+:(\w+)>")
_SOMETHING: Final = "31c39c56-183b-5372-8f6a-6b78314369f9"
_NONE: Final = cast("Any", None)
_SCENE: Final = Scene(
    system=_NONE,
    actor=_NONE,
    rest=_NONE,
    socket=_NONE,
    witness=_NONE,
    owner=_NONE,
    names=dict.fromkeys(("owner", "actor", "mia", "new"), "ana"),
    conversation=_SOMETHING,
    own={"id": _SOMETHING, "position": "1:0:0"},
    theirs={"id": _SOMETHING, "position": "1:0:1"},
    invitation=_SOMETHING,
)
_ALL: Final = (*ACTIONS, *(action for action, _ in PERSONAL))
_BEFORE_ANYTHING: Final = {"hello"}
"""The operation that every other one of a socket needs."""


def endpoint_of(method: str, asked: str) -> str:
    """Returns the endpoint as the OpenAPI document writes it."""
    address = f"/api/v1/{asked.partition('?')[0]}"
    try:
        route = "/" + resolve(address).route
    except Resolver404:  # answered by gateways
        route = address
    path = _PARAMETER.sub(r"{\1}", route)
    return f"{method} {path}"


def test_every_endpoint_has_a_row() -> None:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # has no types
    endpoints = {f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods}
    rows = {endpoint_of(*action.rest(_SCENE)[:2]) for action in _ALL if action.rest is not None}
    assert endpoints - OPEN == rows


def test_every_operation_of_a_socket_has_a_row() -> None:
    rows = {action.socket(_SCENE)[0] for action in _ALL if action.socket is not None}
    assert {op.name for op in OPS} - _BEFORE_ANYTHING == rows


def test_every_role_has_an_answer_to_every_action() -> None:
    assert set(ROLES) == {
        *("stranger", "invited", "member", "admin", "owner", "removed", "demoted", "staff", "blocked", "suspended")
    }
    for role in ROLES:
        missing = {action.name for action in ACTIONS} - rights_of(role).keys()
        assert role == "blocked" or not missing, f"{role}: {missing}"
