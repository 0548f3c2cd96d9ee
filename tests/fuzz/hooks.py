"""Hooks of schemathesis: valid requests are given what exists, so that every operation gets to do what it is for.

Runs inside schemathesis' own process (SCHEMATHESIS_HOOKS). Only cases that are meant to be valid are changed: what is
meant to be refused goes as it was made. Each answer is noted as a line in the file KLATSCH_FUZZ_ANSWERS.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
import schemathesis
from schemathesis import Case, HookContext, Response

django.setup()

from tests.fuzz.seeds import Seeds  # noqa: E402 - Django's models are there after its set-up

_ADDRESS_MOST = 14 * 1024
_seeds = Seeds(os.environ["KLATSCH_FUZZ_URL"])
_answers = Path(os.environ["KLATSCH_FUZZ_ANSWERS"])


@schemathesis.auth(refresh_interval=None)
class SignedIn:
    """A new bearer token for each case, as cases may end what they come with."""

    def get(self, case: Case[Any], ctx: schemathesis.AuthContext) -> str:
        return _seeds.new_token(operation_id(case))

    def set(self, case: Case[Any], data: str, ctx: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leaves out addresses of 14 KiB and more: with the headers, any endpoint refuses them (431)."""
    return len(urlencode(case.query or {}, doseq=True)) < _ADDRESS_MOST


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Gives a valid case what exists; nobody waits for what does not come."""
    if operation_id(case) == "sync" and str(case.query.get("wait", 30)) in {str(seconds) for seconds in range(61)}:
        case.query["wait"] = 0
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _seeds.fill(operation_id(case), case)


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Notes what each operation answered."""
    _seeds.answered(operation_id(case), response.status_code)
    with _answers.open("a") as file:
        file.write(f"{operation_id(case)} {response.status_code}\n")


def operation_id(case: Case[Any]) -> str:
    return str(case.operation.definition.raw["operationId"])
