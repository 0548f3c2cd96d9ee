"""schemathesis, signed in, against a real process: every operation does what it is for, as the document says."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.process import ROOT, GatewayProcess, PersisterProcess
from tests.support.system import System

_SECONDS = int(os.environ.get("KLATSCH_FUZZ_SECONDS", "0"))
"""Of requests, for `make fuzz`; the start of the fuzzer and of the gateway comes on top."""
_EACH_BOUND = ("--phases", "examples,coverage")
"""Where no time is given: all cases that follow from the schema of each operation, however slow the machine is."""
_DEADLINE_S = 1_800
"""Two minutes are usual; beside much other load it has taken over ten."""
_ANSWER_S = 60
_LIMITS = (
    "KLATSCH_SIGN_IN_FAILURES",
    "KLATSCH_SIGN_IN_FAILURES_ADDRESS",
    "KLATSCH_REGISTRATIONS_PER_HOUR",
    "KLATSCH_RESETS_PER_HOUR",
    "KLATSCH_CREDENTIALS_PER_PERSON",
    "KLATSCH_REPORTS_PER_HOUR",
    "KLATSCH_REQUESTS_PER_SECOND",
    "KLATSCH_MESSAGES_PER_SECOND",
)
"""Out of the way: what is refused for being too often does nothing."""
_PATIENT = {"KLATSCH_ANSWER_DEADLINE_MS": "60000", "KLATSCH_ARCHIVE_WAIT_MS": "30000"}
"""For a busy machine: a change that waits in vain is answered 503, which the fuzzer counts as a fault."""
_METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def gateway(system: System, persister: PersisterProcess) -> Iterator[GatewayProcess]:
    gateway = system.new_gateway("fuzzed")
    gateway.start(KLATSCH_LOG_LEVEL="WARNING", **_PATIENT, **dict.fromkeys(_LIMITS, "1000000"))
    yield gateway
    gateway.stop()


@pytest.mark.timeout(_SECONDS + _DEADLINE_S)
def test_schemathesis_reaches_every_operation_and_finds_nothing(
    system: System, gateway: GatewayProcess, tmp_path: Path
) -> None:
    operations = _operations(gateway)  # before the fuzzer, which waits ten seconds for the document
    answers = tmp_path / "answers"
    bound = ("--max-time", str(_SECONDS)) if _SECONDS else _EACH_BOUND
    argv = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(ROOT / "tests/fuzz/schemathesis.toml")),
        *("run", f"{gateway.url}/api/schema", "--checks", "all", *bound, "--no-color"),
        *("--request-timeout", str(_ANSWER_S)),
        *("--generation-database", "none", "--warnings", "off", "--continue-on-failure"),
        # The same requests in each `make test`: what is new is for `make fuzz` to find.
        *os.environ.get("KLATSCH_FUZZ_ARGS", "--seed 1").split(),
    ]
    env = system.env | {
        "DJANGO_SETTINGS_MODULE": "klatsch.settings",
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        "KLATSCH_CREDENTIALS_PER_PERSON": "1000000",
        "KLATSCH_FUZZ_URL": gateway.url,
        "KLATSCH_LOG_LEVEL": "WARNING",
        "KLATSCH_FUZZ_ANSWERS": str(answers),
    }
    done = subprocess.run(argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    reached = {name for name, status in map(str.split, answers.read_text().splitlines()) if status.startswith("2")}
    assert reached == operations


def _operations(gateway: GatewayProcess) -> set[str]:
    url, json_alone = f"{gateway.url}/api/schema", {"Accept": "application/json"}
    document = httpx.get(url, headers=json_alone, timeout=_ANSWER_S, trust_env=False).json()
    return {
        operation["operationId"]
        for methods in document["paths"].values()
        for method, operation in methods.items()
        if method in _METHODS
    }
