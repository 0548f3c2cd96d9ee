"""Log lines while nobody reads them: the process goes on, and says afterwards how many it dropped."""

import fcntl
import json
import os
import select
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from klatsch.core import log_output

ROOT = Path(__file__).resolve().parents[2]
PIPE_BYTES = 65_536
START = """
import structlog
from klatsch.core import log_output
from klatsch.core.logs import logging_config
log_output.PATIENCE_S = {patience_s}
logging_config(level='DEBUG', style='json')
log = structlog.get_logger('test')
def say(count, text):
    for number in range(count):
        log.info('said', number=number, text=text)
"""


class Speaker:
    """A process whose stderr is a pipe that is read only when a test does so."""

    def __init__(self, program: str, patience_s: float = log_output.PATIENCE_S) -> None:
        argv = [sys.executable, "-c", START.format(patience_s=patience_s) + textwrap.dedent(program)]
        reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=writing)
        os.close(writing)
        self._reading = reading
        self._read = b""

    def until(self, word: bytes) -> None:
        """Waits until the process prints this line on stdout."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == word + b"\n"

    def go_on(self) -> None:
        """Lets the process return from `input()`."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def read_present(self) -> None:
        """Takes what is in the pipe."""
        while select.select([self._reading], [], [], 0)[0] and (piece := os.read(self._reading, PIPE_BYTES)):
            self._read += piece

    def read_rest(self) -> list[bytes]:
        """Takes everything until the process ends; returns all lines that it has written."""
        while piece := os.read(self._reading, PIPE_BYTES):
            self._read += piece
        assert self.process.wait(180) == 0
        return self._read.splitlines()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._reading)


@pytest.fixture
def stalled() -> Iterator[Speaker]:
    """Says far more than the pipe holds, and once more after a word of the test."""
    speaker = Speaker("""
        say(5_000, 'x' * 100)
        print('going on', flush=True)
        input()
        say(1, 'the last one')
    """)
    yield speaker
    speaker.end()


def test_a_reader_that_stands_still_stops_nobody_and_learns_how_many_lines_it_missed(stalled: Speaker) -> None:
    stalled.until(b"going on")
    stalled.read_present()
    stalled.go_on()
    *early, dropped, last = [json.loads(line) for line in stalled.read_rest()]
    assert [line["number"] for line in early] == list(range(len(early)))
    assert (dropped["event"], dropped["level"]) == ("log_lines_dropped", "warning")
    assert dropped["count"] == 5_000 - len(early)
    assert last["text"] == "the last one"


def test_a_burst_waits_for_a_reader_that_takes_it() -> None:
    speaker = Speaker("say(5_000, 'x' * 100)", patience_s=60)
    lines = speaker.read_rest()
    speaker.end()
    assert [json.loads(line)["number"] for line in lines] == list(range(5_000))


def test_a_line_that_was_cut_does_not_spoil_the_next_one() -> None:
    speaker = Speaker(f"""
        say(1, 'x' * {2 * PIPE_BYTES})
        print('going on', flush=True)
        input()
        say(1, 'whole')
    """)
    speaker.until(b"going on")
    speaker.read_present()
    speaker.go_on()
    cut, *rest = speaker.read_rest()
    speaker.end()
    assert len(cut) == PIPE_BYTES
    assert [json.loads(line)["event"] for line in rest] == ["log_lines_dropped", "said"]


def test_a_reader_that_is_gone_stops_nobody() -> None:
    argv = [
        sys.executable,
        "-c",
        START.format(patience_s=log_output.PATIENCE_S) + "say(3, 'to nobody')\nprint('ended')",
    ]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=writing, check=False, timeout=180)
    os.close(writing)
    assert (done.returncode, done.stdout) == (0, b"ended\n")
