"""Creates the people of a run by `manage.py people`, with tokens, so that thousands need not sign in."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


@dataclass(frozen=True, slots=True)
class BenchPerson:
    username: str
    token: str


def make_people(count: int) -> list[BenchPerson]:
    """Needs the settings of the running services in the environment, as `make bench` sets them."""
    made = subprocess.run([sys.executable, str(_MANAGE), "people", str(count)], stdout=subprocess.PIPE, check=True)
    return [BenchPerson(**json.loads(line)) for line in made.stdout.splitlines()]
