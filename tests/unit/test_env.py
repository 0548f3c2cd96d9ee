import pytest

from klatsch import env

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
    assert env.load(GOOD).keys() == {variable.name for variable in env.VARIABLES}
    assert all(variable.effect.endswith(".") for variable in env.VARIABLES)


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
    ],
)
def test_a_bad_value_is_refused_by_name_and_never_shown(name: str, value: str) -> None:
    text = refusal(**{name: value})
    assert name in text
    assert "must be" in text
    assert f"{value};" not in text
    assert not text.endswith(value)


def test_a_secret_is_not_in_the_refusal() -> None:
    assert "hunter2" not in refusal(KLATSCH_HASHERS="x", DATABASE_URL="postgresql://u:hunter2@localhost/klatsch")


def test_a_database_that_is_not_postgresql_is_refused() -> None:
    with pytest.raises(env.BadSetting, match="DATABASE_URL must begin with postgresql://"):
        env.database("sqlite:///klatsch.db")


def test_a_postgresql_url_becomes_djangos_entry() -> None:
    entry = env.database("postgresql://u:p@db:5433/klatsch")
    assert (entry["HOST"], entry["PORT"], entry["NAME"], entry["USER"]) == ("db", 5433, "klatsch", "u")
