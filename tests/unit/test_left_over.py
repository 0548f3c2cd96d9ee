"""A test run knows what it would leave behind."""

import os
import subprocess
import sys

from tests.support.services import left_over


def test_what_still_runs_with_the_settings_of_this_run_is_found_and_nothing_else_is() -> None:
    nap = [sys.executable, "-Sc", "input()"]
    strangers = {**os.environ, "KLATSCH_SECRET_KEY": "another run's"}
    with (
        subprocess.Popen(nap, stdin=subprocess.PIPE, start_new_session=True) as ours,
        subprocess.Popen(nap, stdin=subprocess.PIPE, env=strangers) as theirs,
    ):
        found = [process.pid for process in left_over()]
        for process in (ours, theirs):
            process.communicate(b"\n")
    assert ours.pid in found
    assert theirs.pid not in found
    assert ours.pid not in [process.pid for process in left_over()]
