"""The number of processes that `make test` spreads the tests over."""

from types import SimpleNamespace

import pytest

ALL, CHOSEN = pytest.Config.ArgsSource.TESTPATHS, pytest.Config.ArgsSource.ARGS


@pytest.mark.parametrize(
    ("source", "keyword", "cores", "workers"),
    [(ALL, "", 2, 3), (ALL, "", 1, 2), (ALL, "", 16, 4), (CHOSEN, "", 2, 0), (ALL, "name", 2, 0)],
)
def test_all_tests_run_in_one_process_more_than_cores_and_chosen_ones_in_one(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, source: object, keyword: str, cores: int, workers: int
) -> None:
    """Asks the hook, as xdist does: an answer of xdist itself comes first unless ours is put before it."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    config = SimpleNamespace(args_source=source, option=SimpleNamespace(keyword=keyword))

    assert pytestconfig.hook.pytest_xdist_auto_num_workers(config=config) == workers
