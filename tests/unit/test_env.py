from pathlib import Path

import pytest

from klatsch import env
from klatsch.variables import VARIABLES

GOOD = {
    "KLATSCH_SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgresql://u:p@localhost:5432/klatsch",
    "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
}


def refusal(**changes: str) -> str:
    with pytest.raises(env.BadSetting) as caught:
        env.load(GOOD | changes)
    return str(caught.value)


def test_what_is_not_set_has_its_default() -> None:
    values = env.load(GOOD)
    assert values["KLATSCH_TICKET_SECONDS"] == 30
    assert values["KLATSCH_ORIGINS"] == []
    assert values["KLATSCH_INSECURE_COOKIES"] is False


def test_every_variable_has_a_value_and_an_effect_to_read() -> None:
    assert env.load(GOOD).keys() == {variable.name for variable in VARIABLES}
    assert all(variable.effect.endswith(".") for variable in VARIABLES)


def test_values_have_their_types() -> None:
    values = env.load(
        GOOD | {"KLATSCH_HASHERS": " 4 ", "KLATSCH_PROXY_TLS": "Yes", "KLATSCH_ORIGINS": "https://a, https://b:8443,"}
    )
    assert values["KLATSCH_HASHERS"] == 4
    assert values["KLATSCH_PROXY_TLS"] is True
    assert values["KLATSCH_ORIGINS"] == ["https://a", "https://b:8443"]


def test_an_empty_value_is_a_missing_one() -> None:
    assert env.load(GOOD | {"KLATSCH_HASHERS": "  "})["KLATSCH_HASHERS"] == 2
    assert "DATABASE_URL is missing" in refusal(DATABASE_URL="")


def test_all_that_is_wrong_is_named_at_once() -> None:
    text = refusal(DATABASE_URL="", KLATSCH_HASHERS="0", KLATSCH_LOG_LEVEL="LOUD")
    assert "DATABASE_URL" in text
    assert "KLATSCH_HASHERS must be at least 1" in text
    assert "KLATSCH_LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KLATSCH_HASHERS", "two"),
        ("KLATSCH_HASHERS", "2.5"),
        ("KLATSCH_HASHERS", "٣"),
        ("KLATSCH_HASHERS", "65"),
        ("KLATSCH_PARTITIONS", "-1"),
        ("KLATSCH_RING_SECONDS", "129"),
        ("KLATSCH_INSECURE_COOKIES", "maybe"),
        ("KAFKA_SECURITY_PROTOCOL", "plaintext"),
        ("KLATSCH_SECRET_KEY", "k" * 49),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:9092,b"),
        ("KLATSCH_TOPIC", "klatsch events"),
        ("KLATSCH_PUBLIC_URL", "chat.example.org"),
        ("KLATSCH_PUBLIC_URL", "https://chat.example.org/?q"),
        ("KLATSCH_PUBLIC_URL", "https://example.org/chat"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_never_shown(name: str, value: str) -> None:
    text = refusal(**{name: value})
    assert name in text
    assert "must be" in text
    assert f"{value};" not in text
    assert not text.endswith(value)


@pytest.mark.parametrize("name", ["KLATSCH_ORIGINS", "KLATSCH_CORS_ORIGINS"])
@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "chat.example.org",
        "https://chat.example.org/",
        "https://*.example.org",
        "https://.example.org",
        "https://Chat.example.org",
        "https://ana@example.org",
        "null",
    ],
)
def test_an_origin_that_no_browser_sends_or_that_is_more_than_one_is_refused_by_name(name: str, origin: str) -> None:
    assert f"{name} must be origins" in refusal(**{name: f"https://good.example.org,{origin}"})


def test_origins_may_have_ports_and_be_addresses() -> None:
    origins = ["https://chat.example.org", "http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"]
    assert env.load(GOOD | {"KLATSCH_ORIGINS": ",".join(origins)})["KLATSCH_ORIGINS"] == origins


@pytest.mark.parametrize(
    "host",
    ["https://chat.example.org", "chat.example.org:443", "chat.example.org/", "*.org", "bücher.de", "example.org."],
)
def test_a_host_that_no_request_can_name_is_refused(host: str) -> None:
    assert "KLATSCH_ALLOWED_HOSTS must be host names" in refusal(KLATSCH_ALLOWED_HOSTS=f"localhost,{host}")


def test_hosts_may_be_names_domains_addresses_and_all() -> None:
    hosts = ["localhost", "Chat.example.org", ".example.org", "a_b.example", "127.0.0.1", "[::1]", "*"]
    assert env.load(GOOD | {"KLATSCH_ALLOWED_HOSTS": ",".join(hosts)})["KLATSCH_ALLOWED_HOSTS"] == hosts


def test_an_authority_that_cannot_be_read_is_refused_before_the_driver_fails_on_it(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    text = refusal(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CA=missing)
    assert "KAFKA_SSL_CA names a file that cannot be read" in text
    assert missing not in text
    assert env.load(GOOD | {"KAFKA_SSL_CA": missing})["KAFKA_SECURITY_PROTOCOL"] == "PLAINTEXT"


def test_signals_do_not_go_into_the_log() -> None:
    same = {"KLATSCH_TOPIC": "klatsch", "KLATSCH_SIGNALS_TOPIC": "klatsch"}
    assert "KLATSCH_SIGNALS_TOPIC must be another topic" in refusal(**same)
    assert env.load(GOOD | same | {"KLATSCH_SIGNALS": "0"})["KLATSCH_TOPIC"] == "klatsch"


def test_a_sasl_protocol_needs_a_name_and_a_password() -> None:
    text = refusal(KAFKA_SECURITY_PROTOCOL="SASL_SSL")
    assert "KAFKA_SASL_USERNAME is missing" in text
    assert "KAFKA_SASL_PASSWORD is missing" in text
    who = {"KAFKA_SASL_USERNAME": "api", "KAFKA_SASL_PASSWORD": "hunter2"}
    assert env.load(GOOD | who | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"})["KAFKA_SASL_USERNAME"] == "api"


def test_a_secret_is_not_in_the_refusal() -> None:
    assert "hunter2" not in refusal(KLATSCH_HASHERS="x", DATABASE_URL="postgresql://u:hunter2@localhost/klatsch")


@pytest.mark.parametrize(
    "url", ["sqlite:///klatsch.db", "u:hunter2@db/klatsch", "postgresql://", "postgresql://u:hunter2@db:port/klatsch"]
)
def test_a_database_that_is_not_postgresql_is_refused_by_name(url: str) -> None:
    with pytest.raises(env.BadSetting, match="DATABASE_URL must be postgresql://") as caught:
        env.database(url)
    assert "hunter2" not in str(caught.value)


def test_what_is_needed_and_missing_is_made_up_for_help_alone() -> None:
    environment = {"KLATSCH_SECRET_KEY": "k" * 60, "DATABASE_URL_FILE": "/run/secrets/url"}
    env.stand_in_for_missing(environment)
    assert environment["KLATSCH_SECRET_KEY"] == "k" * 60
    assert "DATABASE_URL" not in environment
    nothing: dict[str, str] = {}
    env.stand_in_for_missing(nothing)
    assert env.load(nothing)["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"


def test_a_postgresql_url_becomes_djangos_entry() -> None:
    entry = env.database("postgresql://u:p@db:5433/klatsch")
    assert (entry["HOST"], entry["PORT"], entry["NAME"], entry["USER"]) == ("db", 5433, "klatsch", "u")
