"""The catalogue of planted bugs names functions, tests and kinds of faults that exist."""

from faults.bugs.catalogue import BUGS
from faults.bugs.planting import planters
from faults.run import KINDS
from tests.support.process import ROOT


def test_each_bug_has_a_name_of_its_own_and_faults_or_a_test_that_there_are() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        assert set(bug.only) <= KINDS.keys()
        assert bug.breaks <= {"I1", "I2", "I3", "I4", "I5", "I6"}
        assert bool(bug.only and bug.breaks) != bool(bug.test)
        file, _, name = bug.test.partition("::")
        assert not bug.test or f"def {name}(" in (ROOT / file).read_text()


def test_each_bug_has_its_function_and_each_function_its_bug() -> None:
    assert planters().keys() == {bug.name for bug in BUGS}
