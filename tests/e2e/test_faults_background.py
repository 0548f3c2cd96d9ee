"""Background work that fails takes its process with it: nobody is left with half of a process."""

import sys

import pytest

from tests.support.process import GatewayProcess, PersisterProcess, Process, wait_until
from tests.support.system import System

_GATEWAY_TASKS = {
    "tick": "klatsch.gateway.sending.Sending.tick",
    "marks": "klatsch.gateway.resume_marks.ResumeMarks.push_all",
    "recheck": "klatsch.gateway.recheck.Recheck.tick",
}
_FAIL = """
import os, pkgutil, sys
sys.path.insert(0, os.getcwd())
os.environ["DJANGO_SETTINGS_MODULE"] = "klatsch.settings"
import django
django.setup()
from django.core.management import execute_from_command_line
owner, _, name = {target!r}.rpartition(".")
def fail(*_):
    raise ZeroDivisionError
setattr(pkgutil.resolve_name(owner), name, fail)
execute_from_command_line(["manage.py", *sys.argv[1:]])
"""


def _ends(process: Process) -> None:
    """Checks that it ends with a status that is not 0, and one line that says why."""
    wait_until(lambda: not process.is_running(), f"{process.name} ends", 30)
    assert process.status == 1
    [line] = process.events("uncaught")
    assert "ZeroDivisionError" in line["exception"]


@pytest.mark.parametrize("task", _GATEWAY_TASKS)
def test_a_gateway_whose_task_fails_ends(system: System, task: str) -> None:
    gateway = GatewayProcess(f"gateway-without-{task}", system.env, system.folder)
    system.others.append(gateway)
    gateway.program = (sys.executable, "-c", _FAIL.format(target=_GATEWAY_TASKS[task]))
    gateway.launch(KLATSCH_MARK_SECONDS="1")
    _ends(gateway)


def test_a_persister_whose_relay_fails_ends(system: System) -> None:
    persister = PersisterProcess("persister-without-relay", system.env, system.folder)
    system.others.append(persister)
    persister.program = (sys.executable, "-c", _FAIL.format(target="klatsch.persister.relay.relay_records"))
    persister.launch()
    _ends(persister)
