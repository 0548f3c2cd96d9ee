"""Promises of compose.yaml, compose.cluster.yaml and deploy/, without an engine: tests/compose tries them for real."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from klatsch.core.http_limits import BODY_BYTES_MOST, HEAD_BYTES_MOST, HEAD_S
from klatsch.embedded import kafka_settings, postgres
from klatsch.gateway import serving
from klatsch.processes import api, gateway, persister
from klatsch.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
CLUSTER: dict[str, Any] = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONCE = {"roles", "migrate", "grants", "topics"}
OURS = {"migrate", "topics", "gateway", "api", "persister"}
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
NGINX = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
each_service = pytest.mark.parametrize("name", SERVICES)


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text.removesuffix("s"))


def location(path: str) -> str:
    """Returns what nginx does with that path."""
    [found] = re.findall(rf"location {re.escape(path)} \{{(.*?)\}}", NGINX, re.DOTALL)
    return str(found)


@each_service
def test_every_container_has_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert not service.keys() & {"privileged", "cap_add", "pid", "network_mode", "devices"}
    assert name in OURS or service["user"].split(":")[0] not in {"0", "root"}


@each_service
def test_every_container_is_bounded_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")
    assert service["healthcheck"].keys() >= (
        {"disable"} if name in ONCE else {"test", "interval", "timeout", "retries"}
    )
    assert "stop_grace_period" in service


@each_service
def test_every_image_has_its_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert re.search(r":[\w.-]+\}?$", image), image
    assert "latest" not in image


def test_secrets_come_as_files_and_have_no_default() -> None:
    secret = {variable.name for variable in VARIABLES if variable.secret}
    for services in (SERVICES, CLUSTER["services"]):
        for name, service in services.items():
            given = service.get("environment", {})
            assert not secret & given.keys(), name
            files = {value.removeprefix("/run/secrets/") for key, value in given.items() if key.endswith("_FILE")}
            mounted = {*service.get("secrets", []), *(SERVICES.get(name, {}).get("secrets", []))}
            assert files <= mounted | ({"secret_key", "database_url_app"} if name == "access" else set()), name
    for secrets in (COMPOSE["secrets"], CLUSTER["secrets"]):
        assert all(secrets[name] == {"file": f"secrets/{name}"} for name in secrets)


def test_every_setting_that_is_no_secret_reaches_the_containers() -> None:
    ours_to_say = {"KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SSL_CA"}
    plain = {variable.name for variable in VARIABLES if not variable.secret} - ours_to_say
    settings = COMPOSE["x-settings"]
    assert {name for name in settings if not name.endswith("_FILE")} == plain
    assert {name.removesuffix("_FILE") for name in settings if name.endswith("_FILE")} == {
        variable.name for variable in VARIABLES if variable.secret
    } - {"KAFKA_SASL_PASSWORD"}


def test_processes_have_longer_to_stop_than_their_drain_takes() -> None:
    [sockets_s] = [one.default for one in VARIABLES if one.name == "KLATSCH_DRAIN_SECONDS"]
    assert seconds(SERVICES["gateway"]["stop_grace_period"]) > sockets_s + 3 * gateway._CLOSE_S
    assert seconds(SERVICES["api"]["stop_grace_period"]) > api._STOP_S
    assert seconds(SERVICES["persister"]["stop_grace_period"]) > 2 * persister._DRAIN_S


def test_the_brokers_are_told_what_those_of_make_up_are() -> None:
    lines = (ROOT / "deploy" / "kafka" / "broker.properties").read_text().splitlines()
    ours = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    for name in ("auto.create.topics.enable", "unclean.leader.election.enable", "message.max.bytes", "process.roles"):
        assert ours[name] == kafka_settings._SETTINGS[name]


def test_only_what_the_image_is_made_of_goes_to_the_builder() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    assert sorted(kept) == sorted(copied)
    assert {"secrets/", ".env"} <= set((ROOT / ".gitignore").read_text().splitlines())


def test_the_proxy_takes_no_more_of_a_request_than_what_is_behind_it() -> None:
    assert f"client_max_body_size {BODY_BYTES_MOST // 1024}k;" in NGINX
    assert f"large_client_header_buffers 2 {HEAD_BYTES_MOST // 2 // 1024}k;" in NGINX
    assert f"client_header_timeout {HEAD_S:.0f}s;" in NGINX
    assert "underscores_in_headers off;" in NGINX


def test_no_more_waits_in_the_proxy_for_a_slow_client_than_in_a_gateway() -> None:
    kernel = SERVICES["proxy"]["sysctls"]
    assert kernel["net.ipv4.tcp_notsent_lowat"] <= serving._UNSENT_BYTES
    assert int(kernel["net.ipv4.tcp_rmem"].split()[-1]) <= serving._UNSENT_BYTES


def test_a_log_line_of_the_proxy_has_no_query_and_no_credential() -> None:
    [line] = re.findall(r"log_format line (.*?);\n", NGINX, re.DOTALL)
    assert "$uri" in line
    assert not re.search(r"\$(request\b|request_uri|args|http_|cookie_)", line)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "compose-env", tmp_path / "deploy")
    return tmp_path


def make(folder: Path) -> str:
    return subprocess.run(["sh", "deploy/compose-env"], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_compose_env_makes_every_secret_at_random_and_only_its_owner_can_come_to_them(folder: Path) -> None:
    make(folder)
    made = {file.name: file.read_text() for file in (folder / "secrets").iterdir() if file.is_file()}
    assert made.keys() == COMPOSE["secrets"].keys() | CLUSTER["secrets"].keys()
    random = {name: text for name, text in made.items() if name != "email_url"}
    assert len(set(random.values())) == len(random)
    assert all(re.search(r"[\w-]{43}", text) for text in random.values())
    assert (folder / "secrets").stat().st_mode & 0o777 == 0o700
    assert not any(text.strip() in (folder / ".env").read_text() for text in random.values())


def test_compose_env_keeps_what_is_there_and_makes_what_is_missing(folder: Path) -> None:
    make(folder)
    settings, key = (folder / ".env").read_text(), (folder / "secrets" / "secret_key").read_text()
    token = folder / "secrets" / "metrics_token"
    before = token.read_text()
    token.unlink()
    assert make(folder) == "Made secrets/metrics_token.\nKept .env.\n"
    assert (folder / ".env").read_text() == settings
    assert (folder / "secrets" / "secret_key").read_text() == key
    assert token.read_text() != before


def test_a_settings_file_of_make_up_is_kept_and_gets_the_clusters_name(folder: Path) -> None:
    (folder / ".env").write_text("KLATSCH_LOG_LEVEL=DEBUG\n")
    make(folder)
    first, second = (folder / ".env").read_text().splitlines()
    assert first == "KLATSCH_LOG_LEVEL=DEBUG"
    assert re.fullmatch(r"CLUSTER_ID=k[\w-]{20}w", second)


def test_every_variable_of_the_compose_files_is_written_or_has_a_default(folder: Path) -> None:
    make(folder)
    written = dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines() if line[:1].isalpha())
    for file in ("compose.yaml", "compose.cluster.yaml"):
        for name, rest in re.findall(r"\$\{(\w+)(:[-?])?", (ROOT / file).read_text()):
            assert rest == ":-" or name in written, name


def test_postgresql_logs_no_statement_that_fails_and_no_value_as_the_embedded_one() -> None:
    command = SERVICES["postgres"]["command"]
    told = dict(setting.split("=", 1) for setting in command if "=" in setting)
    assert {name: told[name] for name in told if name.startswith("log_")} == {
        name: value for name, value in postgres._SETTINGS.items() if name.startswith("log_") and name != "log_timezone"
    }
