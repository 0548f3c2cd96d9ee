"""Tasks that run for as long as the process does: one that ends is a failure, never silence."""

import asyncio
from collections.abc import Callable, Coroutine


class TaskEnded(Exception):
    """A task that was to run for ever has returned."""


def run_in_background(
    work: Coroutine[None, None, None], name: str, failed: Callable[[BaseException], None]
) -> asyncio.Task[None]:
    """Runs it on the loop until it is cancelled; calls `failed` with what it raises, or with TaskEnded."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            failed(task.exception() or TaskEnded(name))

    task = asyncio.get_running_loop().create_task(work, name=name)
    task.add_done_callback(ended)
    return task
