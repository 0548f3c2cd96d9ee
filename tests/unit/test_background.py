"""A background task that ends by itself is told of, whatever ended it."""

import asyncio

from klatsch.gateway.background import TaskEnded, run_in_background
from tests.support.waiting import until


async def _fail() -> None:
    raise ZeroDivisionError


async def _return() -> None:
    """Ends although it should not."""


async def _go_on() -> None:
    await asyncio.Event().wait()


async def test_what_a_task_raises_is_told() -> None:
    failures: list[BaseException] = []
    run_in_background(_fail(), "tick", failures.append)
    await until(lambda: failures)
    assert [type(error) for error in failures] == [ZeroDivisionError]


async def test_a_task_that_returns_is_told_of_by_its_name() -> None:
    failures: list[BaseException] = []
    run_in_background(_return(), "tick", failures.append)
    await until(lambda: failures)
    assert isinstance(failures[0], TaskEnded)
    assert str(failures[0]) == "tick"


async def test_a_task_that_is_cancelled_has_not_failed() -> None:
    failures: list[BaseException] = []
    task = run_in_background(_go_on(), "tick", failures.append)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert failures == []
