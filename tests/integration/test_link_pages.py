"""The pages that links in e-mails lead to: they are there, keep to themselves, and send to what REST has."""

import re
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client

from klatsch.accounts.models import User
from tests.integration.credentials import settled
from tests.integration.people import V1, make_person_with_password, post

PAGES = ["/reset", "/confirm"]
ROUTES = Path(__file__).resolve().parents[2] / "klatsch" / "web" / "static" / "klatsch" / "page" / "routes.js"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_no_script_that_stands_in_it(client: Client, path: str) -> None:
    answer = client.get(path)
    page = answer.content.decode()
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert b"".join(client.get(address)), address
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL) == [""]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_names_a_view_that_there_is(client: Client, path: str) -> None:
    [view] = re.findall(r'data-view="([^"]+)"', client.get(path).content.decode())
    assert f"path: '/{view}/:uid?/:token?'" in ROUTES.read_text()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_only_be_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


@pytest.mark.django_db(transaction=True)  # the mailer's thread reads by a connection of its own
def test_the_link_of_a_reset_leads_to_a_page_that_is_there(client: Client) -> None:
    make_person_with_password()
    assert post(client, f"{V1}/auth/password/reset", {"email": User.objects.get().email}).status_code == 202
    settled()
    [letter] = mail.outbox
    [page] = re.findall(r"https?://[^/]+(/\S+)#uid=", str(letter.body))
    assert 'data-view="reset"' in client.get(page).content.decode()
