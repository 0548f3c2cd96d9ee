"""Containers run as compose.yaml says: their users, their rights, their logs and their sizes."""

import json

import pytest

from tests.compose.stack import IMAGE, Stack
from tests.compose.talk import rest

_CLEAN_UPS = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "klatsch.settings"
import django
django.setup()
from klatsch.conversations.group_rows import repair_counts
from klatsch.conversations.invitations import sweep_invitations
print(sweep_invitations(), repair_counts())
"""
_INVITE = """
UPDATE conversations_conversation SET member_count = 7 WHERE id = '{group}';
INSERT INTO conversations_invitation (id, conversation_id, user_id, inviter_id, state, version, created_at, changed_at)
SELECT gen_random_uuid(), '{group}', u.id, o.id, 'open', 1, now() - interval '1 year', now() - interval '1 year'
FROM accounts_user u, accounts_user o WHERE u.username = '{invited}' AND o.username = '{owner}'
"""
_AFTER = """
SELECT state, member_count FROM conversations_invitation i JOIN conversations_conversation c ON c.id = conversation_id
WHERE c.id = '{group}'
"""
LASTING = ["postgres", "kafka", "gateway", "api", "persister", "proxy"]
ONCE = ["roles", "migrate", "grants", "topics"]
_MOST_BYTES = 250_000_000


def test_a_fresh_copy_comes_up_healthy_and_what_runs_once_has_ended_well(stack: Stack) -> None:
    assert all(stack.healthy(service) for service in LASTING)
    for service in ONCE:
        [container] = stack.containers(service)
        assert (container["State"]["Status"], container["State"]["ExitCode"]) == ("exited", 0)


@pytest.mark.parametrize("service", LASTING)
def test_nothing_runs_as_root_or_with_a_capability_or_can_write_its_own_files(stack: Stack, service: str) -> None:
    [container] = stack.containers(service)
    status = dict(line.split(":\t", 1) for line in stack.inside(service, "cat", "/proc/1/status").splitlines())
    assert "0" not in status["Uid"].split()
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert container["HostConfig"]["ReadonlyRootfs"]
    for folder in ("/", "/opt", "/etc", "/usr", "/home"):
        said = stack.inside(service, "sh", "-c", f"(: > {folder}/try) 2>&1 || true")
        assert "Read-only" in said or "denied" in said or "nonexistent" in said, said


@pytest.mark.parametrize("service", LASTING)
def test_every_container_is_bounded_by_the_engine(stack: Stack, service: str) -> None:
    [container] = stack.containers(service)
    host = container["HostConfig"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"].keys() == {"max-size", "max-file"}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


def test_only_the_proxy_can_be_reached_from_outside(stack: Stack) -> None:
    published = {}
    for service in LASTING:
        [container] = stack.containers(service)
        published[service] = [one for found in container["NetworkSettings"]["Ports"].values() for one in found or []]
    assert published.pop("proxy") == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]
    assert not any(published.values())


def test_what_is_behind_reaches_nothing_outside(stack: Stack) -> None:
    """The engine lets nothing out of the stores' network, and the proxy does not even know their names."""
    form = "{{ .Internal }}"
    assert stack.run("docker", "network", "inspect", "--format", form, f"{stack.project}_back") == "true\n"
    assert "unreachable" in stack.inside("proxy", "sh", "-c", "getent hosts postgres || echo unreachable")


def test_no_secret_is_in_a_log_an_environment_or_a_command(stack: Stack) -> None:
    secrets = [file.read_text().strip() for file in (stack.folder / "secrets").iterdir() if file.is_file()]
    secrets = [text.rsplit("@", 1)[0].rsplit(":", 1)[-1] for text in secrets if text != "consolemail://"]
    seen = stack.logs() + json.dumps([stack.containers(service) for service in LASTING + ONCE])
    assert len(secrets) == 13
    assert [text for text in secrets if text in seen] == []


def test_the_image_is_small_has_its_labels_and_no_tools_to_build_with(stack: Stack) -> None:
    [ours], [base] = (json.loads(stack.run("docker", "image", "inspect", name)) for name in (IMAGE, _base(stack)))
    over = ours["Size"] - base["Size"]
    stack.note(f"the image is {over / 1e6:.0f} MB over its base of {base['Size'] / 1e6:.0f} MB")
    assert over < _MOST_BYTES
    assert ours["Config"]["User"] == "10001:10001"
    assert ours["Config"]["Labels"]["org.opencontainers.image.title"] == "Klatsch"
    assert "Healthcheck" in ours["Config"]
    tools = stack.inside("api", "sh", "-c", "command -v gcc cc make git cargo || true")
    assert tools == ""
    assert stack.inside("api", "sh", "-c", "ls /opt/klatsch/venv/bin | grep -c pip || true").strip() == "0"


def _base(stack: Stack) -> str:
    [name] = [image for image in stack.images() if image.startswith("python:")]
    return name


def test_each_role_in_postgresql_has_its_own_rights(stack: Stack) -> None:
    def refused(role: str, statement: str) -> bool:
        try:
            stack.sql(statement, role=role)
        except AssertionError as error:
            return "permission denied" in str(error) or "read-only transaction" in str(error)
        return False

    assert stack.sql("SELECT count(*) >= 0 FROM accounts_user", role="app") == "t\n"
    assert stack.sql("SELECT count(username) >= 0 FROM accounts_user", role="persister") == "t\n"
    assert stack.sql("SELECT count(*) >= 0 FROM messaging_message", role="readonly") == "t\n"
    assert refused("app", "CREATE TABLE mine ()")
    assert refused("app", "DELETE FROM django_migrations")
    for role in ("persister", "readonly"):
        assert refused(role, "SELECT password FROM accounts_user")
        assert refused(role, "SELECT email FROM accounts_user")
        assert refused(role, "SELECT * FROM knox_authtoken")
    assert refused("persister", "UPDATE accounts_user SET is_staff = true")
    assert refused("readonly", "DELETE FROM messaging_message")


def test_the_persister_may_end_invitations_and_correct_numbers_of_members(stack: Stack) -> None:
    owner, invited = stack.people(2)
    with rest(stack, owner) as http:
        group = http.post("conversations", json={"title": "old", "members": [invited["username"]]}).json()["id"]
    stack.sql(_INVITE.format(group=group, owner=owner["username"], invited=invited["username"]))
    assert stack.inside("persister", "python", "-c", _CLEAN_UPS) == "1 1\n"
    assert stack.sql(_AFTER.format(group=group)) == "expired|2\n"
