"""The catalogue of planted bugs names functions and kinds of faults that exist."""

import inspect

from faults.bugs import planting
from faults.bugs.catalogue import BUGS, OF_CHANGES, OF_MARKERS
from faults.run import KINDS


def test_each_bug_has_a_name_of_its_own_and_faults_that_there_are() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        assert set(bug.only) <= KINDS.keys()
        assert bug.breaks <= {"I1", "I2", "I3", "I4", "I5", "I6"}


def test_each_bug_has_its_function_and_each_function_its_bug() -> None:
    functions = {
        name for name, value in vars(planting).items()
        if inspect.isfunction(value) and value.__module__ == planting.__name__ and not name.startswith("_")
    }  # fmt: skip
    assert functions == {bug.name for bug in BUGS} | OF_CHANGES.keys() | OF_MARKERS.keys() | {"put_back"}
