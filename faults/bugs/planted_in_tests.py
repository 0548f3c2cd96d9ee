"""`pytest -p faults.bugs.planted_in_tests`: plants the bug that PLANTED_BUG names into the process of the tests."""

import importlib
import os

import pytest
from hypothesis import Phase, settings

_EXAMPLES = 150
"""The examples of a property without a bound of its own: one in thirty shows the rarest bug."""

# A found example is enough, so that nothing is shrunk.
settings.register_profile("bugs", max_examples=_EXAMPLES, phases=(Phase.generate,), database=None, deadline=None)


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Plants the bug once Django is set up."""
    if name := os.environ.get("PLANTED_BUG"):
        importlib.import_module("faults.bugs.planting").plant(name)
