"""Documents agree with the code: names, paths, settings, routes, codes and limits."""

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

from klatsch.core.errors import KlatschError
from klatsch.records.schemas import record_schemas
from klatsch.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("clients/*/*.md"))]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
FAILURES = (ROOT / "docs" / "failures.md").read_text()
ONE_MESSAGE = (ROOT / "docs" / "one-message.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
SOURCES = {file: file.read_text() for file in (ROOT / "klatsch").rglob("*.py")}

_LINK = re.compile(r"\[([^]\n]*)\]\(([^)\s]+)\)")
_LONGEST_PAGE = 60
"""Lines of 120 characters on one page."""


def links(text: str) -> list[tuple[str, str]]:
    """Returns the text and the target of each link that is not to another site."""
    return [(words, target) for words, target in _LINK.findall(text) if "://" not in target]


def anchors(file: Path) -> set[str]:
    """Returns the names of a document's headings, as they stand in links."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def names_in(file: Path) -> frozenset[str]:
    """Returns the functions, classes, methods and constants of a Python file; those of a class as `Class.name`."""

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
    """Returns what stands between backticks outside blocks and links."""
    prose = _LINK.sub("", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return re.findall(r"`([^`\n]+)`", prose)


def commands(text: str) -> list[str]:
    """Returns what a document tells people to type: what stands between backticks, and the lines of its blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.split(" #", 1)[0].strip() for block in blocks for line in block.splitlines()]
    return in_backticks(text) + lines


def section(text: str, heading: str) -> str:
    """Returns what stands under a heading of the second level."""
    return text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> list[str]:
    """Returns the first cell of each row of the tables in a text."""
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for words, target in links(document.read_text()):
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"[{words}]({target})"
        assert not anchor or anchor in anchors(file), f"[{words}]({target})"


@pytest.mark.parametrize("text", [ONE_MESSAGE, FAILURES], ids=["one-message.md", "failures.md"])
def test_every_name_that_links_to_code_is_in_the_file_that_it_links_to(text: str) -> None:
    named = [(words, target) for words, target in links(text) if target.endswith(".py")]
    assert len(named) > 20
    for words, target in named:
        name = words.strip("`")
        assert words == f"`{name}`", f"{words} is not in backticks"
        assert name in names_in((ROOT / "docs" / target).resolve()), f"{name} is not in {target}"


@pytest.mark.parametrize("text", [ONE_MESSAGE, FAILURES], ids=["one-message.md", "failures.md"])
def test_every_name_of_code_on_the_journey_of_one_message_is_one_of_the_code(text: str) -> None:
    everywhere = {name for file in (ROOT / "klatsch").rglob("*.py") for name in names_in(file)}
    codes = {error.code for error in KlatschError.__subclasses__()}
    fields = {"client_id", "at_least", "reply_to"}
    for name in in_backticks(text):
        if re.fullmatch(r"_?[a-z]+(_[a-z]+)+|[A-Z][a-z]+[A-Z]\w+|\w+\(\)", name):
            assert name.removesuffix("()") in everywhere | codes | fields, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_every_path_of_code_in_backticks_exists(document: Path) -> None:
    for name in in_backticks(document.read_text()):
        if re.fullmatch(r"(klatsch|clients|tests|bench|docs|requirements|\.ci)/[\w./-]+", name):
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
    settings = {variable.name for variable in VARIABLES}
    of_make = set(re.findall(r"\bKLATSCH_[A-Z_]+", MAKEFILE)) | {"KLATSCH_CACHE"}
    for name in re.findall(r"\b(?:KLATSCH|KAFKA)_[A-Z_]*[A-Z]\b|\bDATABASE_URL\b|\bEMAIL_URL\b", document.read_text()):
        assert name in settings | of_make, name


def test_the_page_on_operating_names_exactly_the_lines_of_the_log_that_are_written() -> None:
    telling = r'(?:_log\.(?!debug)\w+\(|note_failure\(|record\.msg, record\.args, record\.exc_info =)\s*"(\w+)"'
    written = {event for source in SOURCES.values() for event in re.findall(telling, source)}
    named = {event for cell in first_cells(section(OPERATIONS, "Logs"))[2:] for event in in_backticks(cell)}
    assert len(named) > 15
    assert named == written - {"topic_watch"}  # logged as `statement_refused`, which says where it was


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.name)
def test_no_setting_that_a_document_shows_has_a_comment_behind_it_which_a_settings_file_takes_for_its_value(
    document: Path,
) -> None:
    assert re.findall(r"^[A-Z_]+=\S* +#.*$", document.read_text(), re.MULTILINE) == []


def test_the_protocol_lists_exactly_the_routes_that_there_are() -> None:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # has no types
    there = {f"`{method.upper()} {path}`" for path, methods in schema["paths"].items() for method in methods}
    listed = [cell.replace(" /", " /api/v1/") for cell in first_cells(section(PROTOCOL, "REST")) if "/" in cell]
    assert sorted(listed) == sorted(there)


def test_the_protocol_shows_every_schema_of_a_record() -> None:
    shown = {Path(target).stem for _, target in links(PROTOCOL) if target.startswith("schemas/") and target[8:]}
    assert shown == set(record_schemas())


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
