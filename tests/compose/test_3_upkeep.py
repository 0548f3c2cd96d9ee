"""Upkeep as docs/operations.md describes it: an upgrade with a change of tables, and secrets that change."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from tests.compose.proof import proven
from tests.compose.stack import IMAGE, ROOT, Stack
from tests.compose.talk import rest

_GO_ON_S = 90
_OURS = ("gateway", "api", "persister")
_ROLES = ("owner", "app", "persister", "readonly")
_MIGRATION = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("messaging", "{last}")]
    operations = [
        migrations.RunSQL("ALTER TABLE messaging_message ADD COLUMN upgraded boolean"),
        migrations.RunSQL("CREATE TABLE messaging_upgraded (id bigint PRIMARY KEY)"),
    ]
"""


def documented(heading: str) -> list[str]:
    """Returns the commands that docs/operations.md gives under a heading."""
    text = (ROOT / "docs" / "operations.md").read_text().partition(f"### {heading}\n")[2]
    block = text.partition("```bash\n")[2].partition("```")[0]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def pull_a_new_version(folder: Path) -> None:
    """Makes the change that `git pull` would bring: a column more in the longest table, and a table more."""
    migrations = folder / "klatsch" / "archive" / "migrations"
    last = max(file.stem for file in migrations.glob("[0-9]*.py"))
    (migrations / "9999_upgraded.py").write_text(_MIGRATION.format(last=last))


async def test_an_upgrade_by_the_documents_changes_tables_while_people_talk(stack: Stack, tmp_path: Path) -> None:
    before = stack.run("docker", "image", "inspect", "--format", "{{ .Id }}", IMAGE)
    commands = documented("Upgrade with a change of tables")
    assert "git pull" in commands
    async with proven(stack, tmp_path / "evidence") as proof:
        for command in commands:
            if command == "git pull":
                await asyncio.to_thread(pull_a_new_version, stack.folder)
            else:
                await asyncio.to_thread(stack.run, "sh", "-c", command, deadline_s=600)
        await proof.all_go_on(time.monotonic(), _GO_ON_S)
    after = stack.run("docker", "image", "inspect", "--format", "{{ .Id }}", IMAGE)
    assert after != before
    for service in _OURS:
        assert {container["Image"] for container in stack.containers(service)} == {after.strip()}
    assert stack.sql("SELECT count(upgraded) FROM messaging_message", role="readonly") == "0\n"
    assert stack.sql("SELECT count(*) FROM messaging_upgraded", role="app") == "0\n"


def change(stack: Stack, *names: str) -> dict[str, str]:
    """Puts new secrets in place of these, as the documents say; returns the old ones."""
    files = {name: stack.folder / "secrets" / name for name in names}
    old = {name: file.read_text().strip() for name, file in files.items()}
    for file in files.values():
        file.unlink()
    said = stack.run("make", "compose-env")
    assert all(f"Made secrets/{name}." in said and files[name].read_text().strip() != old[name] for name in names)
    return old


def test_changed_passwords_of_roles_count_from_the_next_start(stack: Stack) -> None:
    old = change(stack, *(f"database_url_{role}" for role in _ROLES))
    stack.up("--force-recreate", "roles", "migrate", "grants", "topics", *_OURS)
    stack.people(1)
    for role in _ROLES:
        assert stack.sql("SELECT 1", role=role) == "1\n"
        url = old[f"database_url_{role}"].replace("@postgres:", "@127.0.0.1:")
        with pytest.raises(AssertionError, match="password authentication failed"):
            stack.inside("postgres", "psql", url, "-qAtc", "SELECT 1")


def test_a_changed_password_of_the_superuser_is_the_one_that_roles_are_made_with(stack: Stack) -> None:
    [old] = change(stack, "postgres_password").values()
    new = (stack.folder / "secrets" / "postgres_password").read_text().strip()
    stack.sql(f"ALTER ROLE postgres PASSWORD '{new}'")
    stack.up()
    [roles] = stack.containers("roles")
    assert roles["State"]["ExitCode"] == 0
    with pytest.raises(AssertionError, match="password authentication failed"):
        stack.inside("postgres", "psql", f"postgresql://postgres:{old}@127.0.0.1/klatsch", "-qAtc", "SELECT 1")


def test_a_new_secret_key_ends_sessions_and_no_token_and_a_new_metrics_token_is_asked_for(stack: Stack) -> None:
    [ana] = stack.people(1)
    with httpx.Client(base_url=f"{stack.url}/api/v1/", trust_env=False, timeout=30) as session:
        body = {"username": "sess-ion", "password": "correct horse battery staple 9"}
        assert session.post("auth/register", json=body | {"email": "s@example.invalid"}).status_code == 201
        assert session.post("auth/login", json=body).is_success
        assert session.get("me").status_code == 200
        old = change(stack, "secret_key", "metrics_token")["metrics_token"]
        stack.up("--force-recreate")
        assert session.get("me").status_code == 401
    with rest(stack, ana) as http:
        assert http.get("me").status_code == 200
    new = (stack.folder / "secrets" / "metrics_token").read_text().strip()
    assert [metrics_status(stack, token) for token in (old, new)] == ["401", "200"]


def metrics_status(stack: Stack, token: str) -> str:
    """Returns what the gateway answers to who shows that token."""
    ask = (
        "import http.client, sys\n"
        "c = http.client.HTTPConnection('127.0.0.1', 8000)\n"
        "c.request('GET', '/metrics', headers={'Authorization': 'Bearer ' + sys.argv[1]})\n"
        "print(c.getresponse().status)"
    )
    return stack.inside("gateway", "python", "-c", ask, token).strip()
