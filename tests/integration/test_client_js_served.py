"""/static/klatsch/ has the JavaScript client and the scripts of pages, as they stand in the repository."""

from pathlib import Path

import pytest
from django.test import Client

from tests.support.node import CLIENT, PAGES


@pytest.mark.parametrize("file", sorted([*CLIENT.glob("*.js"), *PAGES.glob("*.js")]), ids=lambda file: file.name)
def test_the_client_is_served_as_javascript(file: Path) -> None:
    answer = Client().get(f"/static/klatsch/{file.name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert b"".join(answer) == file.read_bytes()
