"""docs/settings.md, and secrets that come from files."""

from pathlib import Path

import pytest

from klatsch import env
from klatsch.processes.settings_page import settings_page

NEEDED = {
    "KLATSCH_SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgresql:///k",
    "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
}
SECRETS = [variable.name for variable in env.VARIABLES if variable.secret]


def test_the_page_has_one_row_for_every_setting_with_its_effect_bounds_and_default() -> None:
    rows = [line for line in settings_page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(env.VARIABLES)
    for row, variable in zip(rows, env.VARIABLES, strict=True):
        assert row.startswith(f"| `{variable.name}` |")
        assert variable.effect in row
        assert variable.least is None or f"{variable.least} to {variable.most}" in row


def test_the_page_in_docs_is_that_of_the_code() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    assert page.read_text() == settings_page(), "run manage.py settings"


def test_whatever_names_a_password_a_key_or_a_token_is_a_secret() -> None:
    assert {"KLATSCH_SECRET_KEY", "DATABASE_URL", "KAFKA_SASL_PASSWORD", "EMAIL_URL", "KLATSCH_METRICS_TOKEN"} == set(
        SECRETS
    )


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    content = "from the file, and long enough for a secret key: 1234567890"
    file.write_text(f"{content}\n")
    source = {**NEEDED, f"{name}_FILE": str(file)}
    source.pop(name, None)
    assert env.load(source)[name] == content


def test_a_file_that_cannot_be_read_or_comes_beside_a_value_stops_the_process_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(env.BadSetting, match=r"KAFKA_SASL_PASSWORD cannot be read .* KAFKA_SASL_PASSWORD_FILE names"):
        env.load({**NEEDED, "KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "nowhere")})
    with pytest.raises(env.BadSetting, match="DATABASE_URL is given twice"):
        env.load({**NEEDED, "DATABASE_URL_FILE": str(tmp_path / "nowhere")})


def test_what_is_no_secret_does_not_come_from_a_file(tmp_path: Path) -> None:
    assert env.load({**NEEDED, "KLATSCH_TOPIC_FILE": str(tmp_path)})["KLATSCH_TOPIC"] == "klatsch.events"
