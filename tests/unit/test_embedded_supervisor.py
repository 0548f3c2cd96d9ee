"""Children that die, that will not die, and that must die in order."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from klatsch.embedded.child import EmbeddedError
from klatsch.embedded.supervisor import Program, Supervisor


def wait_for(condition: Callable[[], bool], deadline_s: float = 60) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


class Stage:
    """A supervisor, what it said, and a clock that only a test moves."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.now = 1000.0
        self.supervisor = Supervisor(self.said.append, clock=lambda: self.now)

    def program(self, name: str, code: str) -> Program:
        program = Program(name, [sys.executable, "-uc", code], {}, self.said.append)
        self.supervisor.watch(name, program)
        program.start()
        return program

    def says(self, text: str) -> Callable[[], bool]:
        return lambda: any(text in line for line in self.said)


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.supervisor.stop(deadline_s=0)


class Failing:
    """A service that always ends at once, and counts how often it was started."""

    log = None

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        self.starts += 1
        self.process = subprocess.Popen([sys.executable, "-Sc", "raise SystemExit(3)"])
        self.process.wait()

    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def test_a_child_that_dies_is_started_again_after_half_a_second(stage: Stage) -> None:
    program = stage.program("gateway", "import time; time.sleep(60)")
    first = program.process
    assert first is not None
    first.kill()
    first.wait()
    stage.supervisor.look()
    assert stage.said == ["gateway ended by itself (status -9); restarting it in 0.5 s."]
    stage.supervisor.look()
    assert program.process is first
    stage.now += 0.5
    stage.supervisor.look()
    assert program.process is not first
    assert program.process is not None
    assert program.process.poll() is None


def test_the_pause_doubles_to_ten_seconds_while_it_keeps_dying(stage: Stage) -> None:
    service = Failing()
    stage.supervisor.watch("persister", service)
    service.start()
    pauses = []
    for _ in range(7):
        stage.supervisor.look()
        pauses.append(float(stage.said[-1].split(" in ")[1].split(" s.")[0]))
        stage.now += pauses[-1]
        stage.supervisor.look()
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10]
    assert service.starts == 8


def test_the_pause_is_short_again_after_half_a_minute_of_health(stage: Stage) -> None:
    service = Failing()
    stage.supervisor.watch("persister", service)
    service.start()
    for pause in (0.5, 1, 2):
        stage.supervisor.look()
        stage.now += pause
        stage.supervisor.look()
    stage.now += 30
    stage.supervisor.look()
    assert "restarting it in 0.5 s." in stage.said[-1]


def test_a_start_that_fails_is_tried_again(stage: Stage) -> None:
    class Unlucky(Failing):
        def start(self) -> None:
            super().start()
            if self.starts == 2:
                raise EmbeddedError("no room")

    service = Unlucky()
    stage.supervisor.watch("postgres", service)
    service.start()
    stage.supervisor.look()
    stage.now += 0.5
    stage.supervisor.look()
    assert stage.said[-1] == "postgres could not be started: no room; restarting it in 1 s."
    stage.now += 1
    stage.supervisor.look()
    assert service.starts == 3


def test_a_death_is_told_with_the_end_of_the_log(stage: Stage, tmp_path: Path) -> None:
    class Logged(Failing):
        log = tmp_path / "kafka.log"  # type: ignore[assignment]  # the service above has none

    (tmp_path / "kafka.log").write_text("FATAL No space left on device\n")
    service = Logged()
    stage.supervisor.watch("kafka", service)
    service.start()
    stage.supervisor.look()
    assert "No space left on device" in stage.said[-1]


WRITES_ITS_NAME_AT_THE_END = """
import signal, sys, time
def end(*_):
    with open({file!r}, 'a') as file:
        file.write({name!r} + ' ')
    raise SystemExit
signal.signal(signal.SIGTERM, end)
print('up')
time.sleep(60)
"""


def test_all_are_stopped_the_last_started_first(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "order"
    programs = []
    for name in ("postgres", "kafka", "persister", "gateway"):
        programs.append(stage.program(name, WRITES_ITS_NAME_AT_THE_END.format(file=str(file), name=name)))
        wait_for(stage.says(f"{name:<9} | up"))
    stage.supervisor.stop()
    assert file.read_text().split() == ["gateway", "persister", "kafka", "postgres"]
    assert all(program.process is not None and program.process.returncode == 0 for program in programs)


IGNORES_SIGTERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(60)"


def test_one_that_will_not_stop_is_killed_in_time_for_the_others(stage: Stage) -> None:
    stubborn = [stage.program(name, IGNORES_SIGTERM) for name in ("one", "two", "three")]
    wait_for(lambda: sum("| up" in line for line in stage.said) == 3)
    began = time.monotonic()
    stage.supervisor.stop(deadline_s=2.5)
    assert time.monotonic() - began < 6  # each with the whole deadline of its own: 7.5
    assert [program.process.returncode for program in stubborn if program.process] == [-9, -9, -9]
    assert "three did not stop in time and was killed." in stage.said


def test_a_second_signal_cuts_the_stop_short(stage: Stage) -> None:
    program = stage.program("gateway", IGNORES_SIGTERM)
    wait_for(stage.says("up"))
    threading.Timer(0.1, stage.supervisor.hurry.set).start()
    began = time.monotonic()
    stage.supervisor.stop(deadline_s=30)
    assert time.monotonic() - began < 20
    assert program.process is not None
    assert program.process.returncode == -9


def test_each_line_of_a_child_carries_its_name(stage: Stage) -> None:
    stage.program("gateway", "import sys; print('hello'); print('world', file=sys.stderr)")
    wait_for(stage.says("world"))
    assert stage.said[:2] == ["gateway   | hello", "gateway   | world"]
