"""Sends e-mail after the answer, so that an answer's time does not reveal whether an e-mail was sent."""

import functools
import smtplib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import connections

from klatsch.accounts.models import User
from klatsch.core.errors import Unavailable
from klatsch.postgres.outages import DATABASE_ERRORS, note_failure

_log = structlog.get_logger(__name__)
_WAITING_MOST = 200
_RETRY_S = 30.0


class Mailer:
    """Runs jobs one after the other on its own thread; at most `waiting_most` jobs wait."""

    def __init__(self, waiting_most: int) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="mail")
        self._room = threading.BoundedSemaphore(waiting_most)

    def submit(self, job: Callable[[], None]) -> None:
        """Queues a job; raises Unavailable when too many wait. A failing job is logged by its error's type alone."""
        with self.take_place() as put:
            put(job)

    @contextmanager
    def take_place(self) -> Iterator[Callable[[Callable[[], None]], None]]:
        """Yields what queues one job at the end of the block; raises Unavailable, like `submit`, at its beginning."""
        if not self._room.acquire(blocking=False):
            raise Unavailable("Too many e-mails wait to be sent. Try again later.", retry_after=_RETRY_S)
        jobs: list[Callable[[], None]] = []
        try:
            yield jobs.append
        finally:
            if jobs:
                self._pool.submit(self._run, *jobs)
            else:
                self._room.release()

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        except (OSError, smtplib.SMTPException) as error:
            _log.warning("mail_not_sent", error=type(error).__name__)
        except DATABASE_ERRORS as error:
            note_failure("mail_not_sent", error)
        finally:
            self._room.release()
            connections.close_all()  # Closes this thread's connections: no request ends here, which would close them.


@functools.cache
def mailer() -> Mailer:
    """Returns this process's mailer, created for the first e-mail and so after any fork."""
    return Mailer(_WAITING_MOST)


def send_link(user: User, *, subject: str, text: str, page: str, token: str) -> None:
    """Sends a link that proves ownership of an address. No server or log sees the token behind the `#`."""
    link = f"{settings.ENV['KLATSCH_PUBLIC_URL'].rstrip('/')}/{page}#uid={user.pk}&token={token}"
    minutes = settings.ENV["KLATSCH_LINK_MINUTES"]
    body = f"Hello {user.username},\n\n{text}\n\n{link}\n\nThe link works once, for {minutes} minutes.\n"
    send_mail(subject, body, None, [user.email])
