"""The chat page as the server answers it: what it may load, how its files are served, and what a first load weighs."""

import gzip
import json
import re
from html import unescape

import pytest
from django.test import Client

from klatsch.accounts.models import User
from klatsch.web.assets import load_assets

FIRST_LOAD_BYTES_MOST = 150_000

pytestmark = pytest.mark.django_db


def urls_of(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/static/[^"]+)"', page)


def test_the_page_runs_nothing_but_its_own_files(client: Client) -> None:
    answer = client.get("/")
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "trusted-types 'none'" in policy
    page = answer.content.decode()
    assert "<script>" not in page
    assert "style=" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert answer["Cache-Control"] == "no-store"


def test_every_file_that_the_page_names_is_served_for_good_and_compressed(client: Client) -> None:
    weight = 0
    for url in dict.fromkeys(urls_of(client.get("/").content.decode())):
        answer = client.get(url, headers={"accept-encoding": "gzip"})
        assert answer.status_code == 200, url
        assert "immutable" in answer["Cache-Control"]
        assert answer["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.content) == client.get(url).content
        weight += len(answer.content)
    assert 0 < weight <= FIRST_LOAD_BYTES_MOST


def test_the_file_of_another_version_is_answered_but_not_kept(client: Client) -> None:
    here = load_assets().url("page/shell.js")
    there = here.replace(load_assets().version, "0123456789abcdef")
    assert client.get(there).content == client.get(here).content
    assert client.get(there)["Cache-Control"] == "no-store"
    assert client.get(here.replace("shell.js", "no-such.js")).status_code == 404


def test_every_module_imports_only_modules_that_are_there() -> None:
    assets = load_assets()
    for path in assets.files:
        if path.endswith(".js"):
            assert set(assets.modules(path)) <= set(assets.files), path


def test_the_page_says_who_is_signed_in(client: Client) -> None:
    assert "klatsch-me" not in client.get("/").content.decode()
    user = User.objects.create_user("ana", "ana@example.org", "secret", display_name='<b>"Ana"')
    client.force_login(user)
    page = client.get("/").content.decode()
    (given,) = re.findall(r'<meta name="klatsch-me" content="([^"]+)">', page)
    assert json.loads(unescape(given)) == {"id": str(user.pk), "username": "ana", "display_name": '<b>"Ana"'}


def test_the_page_asks_for_the_conversations_of_who_is_signed_in_while_it_loads(client: Client) -> None:
    assert 'as="fetch"' not in client.get("/").content.decode()
    client.force_login(User.objects.create_user("ana", "ana@example.org", "secret"))
    page = client.get("/").content.decode()
    (address,) = re.findall(r'<link rel="preload" as="fetch" crossorigin="anonymous" href="([^"]+)">', page)
    assert client.get(unescape(address)).status_code == 200
