"""`make screenshots`: pictures of the page's views in docs/images/, in both themes and two widths."""

import itertools
from pathlib import Path

import pytest

from tests.page.people import NARROW, WIDE, People

_FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
_LOOKS = list(itertools.product(("light", "dark"), (NARROW, WIDE)))


@pytest.mark.parametrize(("theme", "size"), _LOOKS)
@pytest.mark.parametrize(("name", "path"), [("reset", "/reset"), ("confirm", "/confirm")])
def test_a_picture_is_taken_of_each_view_without_an_account(
    people: People, name: str, path: str, theme: str, size: tuple[int, int]
) -> None:
    _FOLDER.mkdir(exist_ok=True)
    page = people.person(size=size, theme=theme).open(path)
    page.screenshot(path=_FOLDER / f"{name}-{theme}-{size[0]}.png")
