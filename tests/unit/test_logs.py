"""Log lines: one for each event, with its request or connection, and nothing that anybody said or signs in with."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest
from structlog.contextvars import bound_contextvars

from klatsch.core.failures import describe_failure
from klatsch.core.tracing import TRACE_BYTES_MOST, accept_id, current_trace, new_id, trace_fields

ROOT = Path(__file__).resolve().parents[2]
SECRET = "what-nobody-may-read"


def lines(program: str) -> list[dict[str, object]]:
    """Returns what a process of its own logs; each line must be JSON."""
    return ended(program)[1]


def warned(program: str) -> list[dict[str, object]]:
    """Returns the log lines that are warnings or worse."""
    return [line for line in lines(program) if line["level"] not in {"debug", "info"}]


def ended(program: str) -> tuple[int, list[dict[str, object]]]:
    """Returns the status with which that process ends, and what it logs."""
    start = (
        "import logging, threading, structlog\n"
        "from klatsch.core.failures import end_on_uncaught, end_process\n"
        "from klatsch.core.logs import logging_config\n"
        "logging_config(level='DEBUG', style='json')\n"
        "end_on_uncaught()\n"
    )
    argv = [sys.executable, "-c", start + textwrap.dedent(program)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert done.stdout == ""
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


def described(error: BaseException) -> str:
    return describe_failure((type(error), error, error.__traceback__))


def raised(act: object) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whichever it is
        exec(str(act), {"psycopg": psycopg})  # noqa: S102 - our own
    return caught.value


@pytest.mark.parametrize(
    "program",
    [
        f"int('{SECRET}')",
        f"{{}}['{SECRET}']",
        f"raise ValueError('{SECRET}')",
        f"raise psycopg.errors.UniqueViolation('Key (email)=({SECRET}) already exists.')",
        f"""
try:
    int('{SECRET}')
except ValueError as error:
    raise RuntimeError('{SECRET}') from error
""",
    ],
)
def test_what_an_exception_quotes_is_not_in_its_description(program: str) -> None:
    error = raised(program)
    text = described(error)
    assert SECRET not in text
    assert type(error).__name__ in text
    assert "test_logs.py" in text


def test_what_names_only_code_or_a_state_is_told() -> None:
    assert "no attribute 'nothing'" in described(raised("object().nothing"))
    assert "No such file or directory" in described(raised("open('/nowhere/at/all')"))
    assert described(psycopg.errors.UniqueViolation("a row")).endswith("UniqueViolation: 23505")
    assert "builtins.KeyError" in described(raised("try:\n    {}[1]\nexcept KeyError as e:\n    raise OSError from e"))


def test_the_lines_of_a_logger_of_the_standard_library_have_the_same_form_and_ids() -> None:
    ours, theirs = lines("""
        structlog.contextvars.bind_contextvars(request="r-1")
        structlog.get_logger("ours").warning("first", position="1:0:5")
        logging.getLogger("librdkafka").warning("a broker is gone")
    """)
    assert (ours["event"], ours["request"], ours["level"]) == ("first", "r-1", "warning")
    assert (theirs["event"], theirs["request"], theirs["logger"]) == ("a broker is gone", "r-1", "librdkafka")


def test_what_escapes_a_thread_ends_the_process_and_is_one_line_without_its_text() -> None:
    status, [line] = ended(f"""
        def fail():
            raise ValueError("{SECRET}")
        threading.Thread(target=fail, name="relay", daemon=True).start()
        threading.Event().wait()
    """)
    assert status == 1
    assert (line["event"], line["thread"]) == ("uncaught", "relay")
    assert "ValueError" in str(line["exception"])
    assert SECRET not in str(line)


def test_what_ends_the_process_is_one_line_without_its_text() -> None:
    status, [line] = ended(f"raise ValueError('{SECRET}')")
    assert status == 1
    assert line["event"] == "uncaught"
    assert SECRET not in str(line)


def test_a_thread_that_cannot_be_helped_takes_the_process_with_it() -> None:
    status, [line] = ended("""
        threading.Thread(target=end_process, args=("it does not return",), daemon=True).start()
        threading.Event().wait()
    """)
    assert status == 1
    assert (line["event"], line["why"]) == ("process_ended", "it does not return")


def test_whoever_tells_addresses_is_silent_at_every_level() -> None:
    assert not lines("""
        for name in ("uvicorn.access", "uvicorn.error", "websockets.server"):
            logging.getLogger(name).info("connection from 192.0.2.7")
    """)


@pytest.mark.parametrize("given", ["abc", "0af7651916cd43dd8448eb211c80319c", "a.b_c-D", "x" * 64])
def test_a_sane_id_is_kept(given: str) -> None:
    assert accept_id(given) == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a\nb", "ü", "a;b", "<script>"])
def test_any_other_id_is_replaced(given: str) -> None:
    assert accept_id(given) != given
    assert len(accept_id(given)) == len(new_id()) == 16


def test_a_record_carries_the_start_of_its_requests_id_and_outside_of_requests_nothing() -> None:
    assert current_trace() == b""
    with bound_contextvars(request="x" * 64):
        assert current_trace() == b"x" * TRACE_BYTES_MOST
    with bound_contextvars(request="abc"):
        assert trace_fields(current_trace()) == {"request": "abc"}


@pytest.mark.parametrize("trace", [b"", b"a b", b"\xff", b'{"'])
def test_what_is_no_id_of_ours_is_in_no_line(trace: bytes) -> None:
    assert trace_fields(trace) == {}


@pytest.mark.parametrize("path", ["/api/v1/me", "/"])
def test_a_request_for_a_foreign_host_is_one_warning_without_a_traceback_or_what_was_sent(path: str) -> None:
    [line] = warned(f"""
        import django
        from django.test import Client
        from klatsch.core import logs
        django.setup()
        logs.logging_config(level='WARNING', style='json')
        answer = Client().get("{path}", HTTP_HOST="{SECRET}.example")
        assert answer.status_code == 400, answer.content
    """)
    assert {name: line[name] for name in ("event", "level", "logger")} == {
        "event": "request_refused", "level": "warning", "logger": "django.security.DisallowedHost",
    }  # fmt: skip
    assert "exception" not in line
    assert SECRET not in str(line)


def test_the_gateways_sync_says_as_little_of_a_foreign_host() -> None:
    [line] = warned(f"""
        import django, json
        django.setup()
        from klatsch.api.checks import Checks
        from klatsch.core import logs
        logs.logging_config(level='WARNING', style='json')
        scope = {{"type": "http", "method": "GET", "path": "/api/v1/sync", "query_string": b"", "scheme": "http",
                  "headers": [(b"host", b"{SECRET}.example")]}}
        checked = Checks()(scope)
        assert (checked.status, json.loads(checked.body)["code"]) == (400, "bad_request")
    """)
    assert (line["event"], line["level"]) == ("request_refused", "warning")
    assert SECRET not in str(line)


def test_an_answer_503_is_no_line_of_its_own_and_a_500_is() -> None:
    got = lines(
        """
        from django.conf import settings
        settings.configure()
        from django.http import HttpResponse
        from django.test import RequestFactory
        from django.utils.log import log_response
        request = RequestFactory().get("/readyz")
        for status in (404, 503, 500):
            log_response("Answer of %s", request.path, response=HttpResponse(status=status), request=request)
        """
    )
    assert [(line["logger"], line["event"]) for line in got] == [("django.request", "Answer of /readyz")]
