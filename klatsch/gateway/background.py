"""Tasks that run as long as the process: a task that ends is a failure."""

import asyncio
from collections.abc import Callable, Coroutine


class TaskEnded(Exception):
    """The failure of a task that should run for ever and has returned."""


def run_in_background(
    work: Coroutine[None, None, None], name: str, failed: Callable[[BaseException], None]
) -> asyncio.Task[None]:
    """Runs the work on the loop until it is cancelled; calls `failed` with its exception, or with TaskEnded."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            failed(task.exception() or TaskEnded(name))

    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(ended)
    return task
