"""The chat page's sources: nothing parses HTML or runs text, all text is in the catalogue, and files stay small."""

import re
from pathlib import Path

from tests.support.node import PAGES

_PAGE = PAGES / "page"
_LINES_MOST = 300
_FORBIDDEN = re.compile(
    r"(?:inner|outer|insertAdjacent|set)HTML|document\.write|\beval\(|new Function\b|srcdoc|attachShadow"
)


def _sources(pattern: str) -> list[Path]:
    found = sorted(_PAGE.rglob(pattern))
    assert found
    return found


def _code(file: Path) -> str:
    """Returns a module without its comments."""
    return re.sub(r"/\*.*?\*/|^\s*//[^\n]*", "", file.read_text(), flags=re.DOTALL | re.MULTILINE)


def test_no_module_makes_html_or_code_of_text() -> None:
    for file in _sources("*.js"):
        assert not _FORBIDDEN.findall(_code(file)), file.name


def test_no_file_of_the_page_is_long() -> None:
    for file in [*_sources("*.js"), *_sources("*.css")]:
        assert len(file.read_text().splitlines()) <= _LINES_MOST, file.name


def test_every_text_that_a_module_shows_is_in_the_catalogue() -> None:
    texts = "\n".join(file.read_text() for file in _sources("strings/*.js"))
    named = set(re.findall(r"^  '([a-z0-9_.]+)':", texts, re.MULTILINE))
    code = "\n".join(_code(file) for file in _sources("*.js") if file.parent.name != "strings")
    asked = set(re.findall(r"\bt\([^`'()]*'([a-z0-9_]+(?:\.[a-z0-9_]+)+)'", code))
    assert asked <= named, asked - named


def test_styles_take_every_colour_from_a_token_and_every_side_from_the_text() -> None:
    for file in _sources("*.css"):
        if file.name == "base.css":
            continue
        text = re.sub(r"light-dark\([^;]*?\)\)?;", ";", file.read_text())
        assert not re.findall(r"(?:margin|padding|border)-(?:left|right)|(?<![-\w])(?:left|right):", text), file.name
