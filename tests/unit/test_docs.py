"""What the documents say of the code is true: names, paths, settings, routes, codes and limits."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from drf_spectacular.generators import SchemaGenerator

from klatsch import env
from klatsch.accounts.models import User
from klatsch.api import errors as api_errors
from klatsch.api.pages import ROWS_MOST
from klatsch.archive.overview import MEMBERS_SHOWN
from klatsch.conversations.groups import MEMBERS_MOST
from klatsch.conversations.rights import TITLE_MOST
from klatsch.conversations.services import RECORD_MEMBERS_MOST
from klatsch.core.errors import KlatschError
from klatsch.core.http_limits import BODY_BYTES_MOST, BODY_S, HEAD_BYTES_MOST, HEAD_S, HEAD_TOO_LARGE, TOO_SLOW
from klatsch.core.ids import FRESH_WINDOW_MS
from klatsch.gateway.http.app import REQUESTS_A_THREAD
from klatsch.gateway.language import protocol
from klatsch.gateway.sending import FEED_BEHIND_S
from klatsch.records.messages import CONTENT_MOST
from klatsch.records.schemas import record_schemas

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
ONE_MESSAGE = (ROOT / "docs" / "one-message.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
SOURCES = {file: file.read_text() for file in (ROOT / "klatsch").rglob("*.py")}

_LINK = re.compile(r"\[([^]\n]*)\]\(([^)\s]+)\)")
_LONGEST_PAGE = 60
"""Lines of 120 characters on one page."""


def links(text: str) -> list[tuple[str, str]]:
    """The text and the target of each link that is not to another site."""
    return [(words, target) for words, target in _LINK.findall(text) if "://" not in target]


def anchors(file: Path) -> set[str]:
    """The names of a document's headings, as they stand in links."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def names_in(file: Path) -> frozenset[str]:
    """Functions, classes, methods and constants of a Python file; those of a class with its name before a dot."""

    def found(nodes: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from found(node.body, f"{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            yield from (prefix + target.id for target in targets if isinstance(target, ast.Name))

    return frozenset(found(ast.parse(file.read_text()).body, ""))


def in_backticks(text: str) -> list[str]:
    """What stands between backticks outside blocks and links."""
    prose = _LINK.sub("", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return re.findall(r"`([^`\n]+)`", prose)


def commands(text: str) -> list[str]:
    """What a document tells people to type: what stands between backticks, and the lines of its blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split(" #", 1)[0].strip() for block in blocks for line in block.splitlines()]
    return in_backticks(text) + lines


def section(text: str, heading: str) -> str:
    """What stands under a heading of the second level."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> list[str]:
    """The first cell of each row of the tables in a text."""
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for words, target in links(document.read_text()):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"[{words}]({target})"
        assert not anchor or anchor in anchors(file), f"[{words}]({target})"


def test_every_name_on_the_way_of_one_message_is_in_the_file_that_it_links_to() -> None:
    named = [(words, target) for words, target in links(ONE_MESSAGE) if target.endswith(".py")]
    assert len(named) > 50
    for words, target in named:
        name = words.strip("`")
        assert words == f"`{name}`", f"{words} is not in backticks"
        assert name in names_in((ROOT / "docs" / target).resolve()), f"{name} is not in {target}"


def test_every_name_of_code_on_the_way_of_one_message_is_one_of_the_code() -> None:
    everywhere = {name for file in (ROOT / "klatsch").rglob("*.py") for name in names_in(file)}
    codes = {error.code for error in KlatschError.__subclasses__()}
    fields = {"client_id", "at_least"}
    for name in in_backticks(ONE_MESSAGE):
        if re.fullmatch(r"_?[a-z]+(_[a-z]+)+|[A-Z][a-z]+[A-Z]\w+|\w+\(\)", name):
            assert name.removesuffix("()") in everywhere | codes | fields, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_path_of_code_in_backticks_exists(document: Path) -> None:
    for name in in_backticks(document.read_text()):
        if re.fullmatch(r"(klatsch|tests|bench|docs|requirements|\.ci)/[\w./-]+", name):
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for command in commands(document.read_text()):
        for named in re.findall(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)", command):
            assert named in targets, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_management_command_that_a_document_names_exists_and_takes_its_arguments(document: Path) -> None:
    for command in commands(document.read_text()):
        found = re.search(r"\bmanage\.py (\w+)(.*)$", command)
        if found is None:
            continue
        name, arguments = found[1], shlex.split(found[2])
        app = get_commands().get(name)
        assert app is not None, command
        loaded = app if isinstance(app, BaseCommand) else load_command_class(app, name)
        if arguments:
            loaded.create_parser("manage.py", name).parse_args(arguments)  # exits, which fails, where they are wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_setting_that_a_document_names_is_read(document: Path) -> None:
    settings = {variable.name for variable in env.VARIABLES}
    of_make = set(re.findall(r"\bKLATSCH_[A-Z_]+", MAKEFILE)) | {"KLATSCH_CACHE"}
    for name in re.findall(r"\b(?:KLATSCH|KAFKA)_[A-Z_]*[A-Z]\b|\bDATABASE_URL\b|\bEMAIL_URL\b", document.read_text()):
        assert name in settings | of_make, name


def test_the_page_on_operating_tells_every_reason_why_a_process_is_not_ready() -> None:
    health, gateway = (SOURCES[ROOT / "klatsch" / file] for file in ("api/health.py", "gateway/arrivals.py"))
    reasons = {*re.findall(r'NotReady\("([^"]+)"\)', health), *re.findall(r'\{"feed": "([^"]+)"\}', gateway)}
    rows = [line.split("|") for line in section(OPERATIONS, "Health").splitlines() if line.startswith("|")]
    assert {row[2].strip().strip('"') for row in rows[2:]} == reasons
    assert {row[1].strip() for row in rows[2:]} == {"`database`", "`migrations`", "`log`", "`feed`"}


def test_the_page_on_operating_names_metrics_that_there_are() -> None:
    there = {name for source in SOURCES.values() for name in re.findall(r'"(klatsch_\w+)"', source)}
    named = {name for name in in_backticks(section(OPERATIONS, "Metrics")) if name.startswith("klatsch_")}
    assert len(named) > 15
    assert {name.removesuffix("_total") for name in named} <= there


def test_the_page_on_operating_names_lines_of_the_log_that_are_written() -> None:
    written = {event for source in SOURCES.values() for event in re.findall(r'_log\.\w+\(\s*"(\w+)"', source)}
    named = {event for cell in first_cells(section(OPERATIONS, "Logs"))[2:] for event in in_backticks(cell)}
    assert len(named) > 15
    assert named <= written


def test_the_licence_is_the_one_that_the_package_names() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")
    assert 'license = "MIT"' in (ROOT / "pyproject.toml").read_text()


def test_the_example_of_settings_names_exactly_those_that_are_read() -> None:
    named = re.findall(r"^#?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(named) == sorted(variable.name for variable in env.VARIABLES)


@pytest.mark.parametrize("variable", env.VARIABLES, ids=lambda variable: variable.name)
def test_the_example_of_settings_tells_effect_bounds_and_default_of(variable: env.Variable) -> None:
    wanted = [variable.effect, *variable.choices]
    if variable.least is not None:
        wanted.append(f"{variable.least} to {variable.most}.")
    entry = re.search(rf"^# (.*)\n#{variable.name}=(.*)$", EXAMPLE, re.MULTILINE)
    assert entry is not None
    assert all(words in entry[1] for words in wanted), entry[1]
    if variable.required:
        assert entry[2] == ""
    else:
        given = {variable.name: entry[2]}
        env.stand_in_for_missing(given)
        assert env.load(given)[variable.name] == variable.default


def test_the_protocol_lists_exactly_the_routes_that_there_are() -> None:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # has no types
    there = {f"`{method.upper()} {path}`" for path, methods in schema["paths"].items() for method in methods}
    listed = [cell.replace(" /", " /api/v1/") for cell in first_cells(section(PROTOCOL, "REST")) if "/" in cell]
    assert sorted(listed) == sorted(there)


def test_the_protocol_lists_every_error_with_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", PROTOCOL, re.MULTILINE)
    assert dict(rows) == {error.code: str(error.status) for error in KlatschError.__subclasses__()}
    of_rest_alone = {(code, status) for status, code in api_errors._CODES.items() if code not in dict(rows)} | {
        ("internal_error", 500),
        *((problem.code, problem.status) for problem in (HEAD_TOO_LARGE, TOO_SLOW)),
    }
    listed = re.findall(r"`(\w+)` \((\d{3})\)", PROTOCOL)
    assert {(code, int(status)) for code, status in listed} == of_rest_alone


def test_the_protocol_lists_every_close_code() -> None:
    listed = re.findall(r"^\| (4\d\d\d) \|", PROTOCOL, re.MULTILINE)
    assert [int(code) for code in listed] == sorted(protocol.Close)


def test_the_protocol_shows_every_schema_of_a_record() -> None:
    shown = {Path(target).stem for _, target in links(PROTOCOL) if target.startswith("schemas/") and target[8:]}
    assert shown == set(record_schemas())


@pytest.mark.parametrize(
    "limit",
    [
        f"1 to {CONTENT_MOST:,} characters",
        f"{protocol.FRAME_BYTES_MOST:,} bytes, else 1009",
        f"{BODY_BYTES_MOST:,} bytes, else 413; within {BODY_S:.0f} s, else 408",
        f"{HEAD_BYTES_MOST:,} bytes, else 431; within {HEAD_S:.0f} s, else 408",
        f"{protocol.UNANSWERED_MOST}, else `rate_limited`",
        f"{REQUESTS_A_THREAD} for each of its threads",
        f"{protocol.MALFORMED_MOST}, then 4400",
        f"| {MEMBERS_MOST:,} |",
        f"1 to {TITLE_MOST} characters, one line",
        f"1 to {User._meta.get_field('username').max_length} of letters",
        f"| {ROWS_MOST}; of people 50 |",
    ],
)
def test_the_protocol_tells_the_limit(limit: str) -> None:
    assert limit in section(PROTOCOL, "Limits")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("KLATSCH_MESSAGES_PER_SECOND", "{:,} a second (`{name}`)"),
        ("KLATSCH_OUTBOX_BYTES", "{:,} bytes (`{name}`)"),
        ("KLATSCH_STALL_SECONDS", "{} s (`{name}`)"),
        ("KLATSCH_PING_SECONDS", "{} s (`{name}`)"),
        ("KLATSCH_TICKET_SECONDS", "{} s (`{name}`)"),
        ("KLATSCH_TOKEN_DAYS", "{} days (`{name}`)"),
        ("KLATSCH_RECHECK_SECONDS", "every {} s (`{name}`)"),
        ("KLATSCH_RECHECK_GIVE_UP_MINUTES", "at most {} minutes (`{name}`)"),
    ],
)
def test_the_protocol_tells_the_limit_that_is_a_setting(name: str, words: str) -> None:
    [variable] = [one for one in env.VARIABLES if one.name == name]
    assert words.format(variable.default, name=name) in " ".join(PROTOCOL.split())


def test_the_protocol_tells_the_times_and_numbers_that_stand_in_its_text() -> None:
    assert f"within {FRESH_WINDOW_MS // 1000} s of the server's clock" in section(PROTOCOL, "REST")
    assert f"the first {MEMBERS_SHOWN}," in section(PROTOCOL, "REST")
    assert f"within {protocol.HELLO_DEADLINE_S:.0f} s, and once" in section(PROTOCOL, "WebSocket")
    assert f"more than {RECORD_MEMBERS_MOST} people" in section(PROTOCOL, "WebSocket")
    assert f"for more than {FEED_BEHIND_S:.0f} s" in section(ONE_MESSAGE, "In by socket")


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda file: file.name)
def test_a_decision_has_its_four_parts_on_one_page(decision: Path) -> None:
    text = decision.read_text()
    assert text.startswith(f"# {decision.name[:4]} ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Options", "Decision", "Consequences"]
    assert len(text.splitlines()) <= _LONGEST_PAGE


def test_every_decision_has_a_number_of_its_own_and_is_listed() -> None:
    assert len({file.name[:4] for file in DECISIONS}) == len(DECISIONS)
    listed = re.findall(r"^\| \[\d{4}\]\(([^)]+)\) \|", (ROOT / "docs/decisions/README.md").read_text(), re.MULTILINE)
    assert listed == [file.name for file in DECISIONS]


def test_every_rule_that_the_code_names_by_letter_and_number_is_explained() -> None:
    sources = [file for folder in ("klatsch", "bench", "tests") for file in (ROOT / folder).rglob("*.py")]
    named = {rule for file in sources for rule in re.findall(r"\b(D\d{1,2})\b", file.read_text())}
    explained = set(first_cells((ROOT / "docs/decisions/README.md").read_text()))
    assert named <= explained


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / ".env.example"], ids=lambda file: file.name)
def test_no_document_names_a_folder_of_somebodys_machine(document: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:home|root|work|tmp|Users)/\S*", document.read_text()) == []
