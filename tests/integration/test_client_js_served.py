"""The page's JavaScript is served as a static file, as it stands in the repository."""

import pytest
from django.test import Client

from tests.support.node import CLIENT


@pytest.mark.parametrize("name", [file.name for file in sorted(CLIENT.glob("*.js"))])
def test_the_client_is_served_as_javascript(name: str) -> None:
    answer = Client().get(f"/static/klatsch/{name}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert b"".join(answer) == (CLIENT / name).read_bytes()
