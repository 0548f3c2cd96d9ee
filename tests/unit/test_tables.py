"""The tables that pages have from the code, and secrets that come from files."""

from pathlib import Path

import pytest

from klatsch import env
from klatsch.core.readiness import REMEDIES, Why
from klatsch.processes.tables.markdown import table
from klatsch.processes.tables.pages import PAGES, with_tables
from klatsch.processes.tables.settings import settings_example
from klatsch.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
ONE = "<!-- generated: one -->\n<!-- end -->\n"
NEEDED = {
    "KLATSCH_SECRET_KEY": "k" * 50,
    "DATABASE_URL": "postgresql:///k",
    "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
}
SECRETS = [variable.name for variable in VARIABLES if variable.secret]


def test_a_section_is_replaced_and_what_stands_around_it_stays() -> None:
    page = "before\n<!-- generated: one -->\nold\n<!-- end -->\nbetween\n# generated: other one\n# end\nafter\n"
    assert with_tables(page, {"one": lambda: "new\n", "other one": lambda: "#A=1\n"}) == (
        "before\n<!-- generated: one -->\nnew\n<!-- end -->\nbetween\n# generated: other one\n#A=1\n# end\nafter\n"
    )


@pytest.mark.parametrize("page", ["nothing\n", "<!-- generated: other -->\n<!-- end -->\n", ONE + ONE])
def test_a_page_without_exactly_its_sections_is_no_page(page: str) -> None:
    assert with_tables(ONE, {"one": lambda: ""}) == ONE
    with pytest.raises(ValueError, match="should have"):
        with_tables(page, {"one": lambda: ""})


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_the_pages_are_those_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text()
    assert with_tables(text, PAGES[page]) == text, "run manage.py tables"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(("a", "b"), [("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x\\|y | z |\n"


def test_every_default_in_the_example_of_settings_is_read_as_the_default() -> None:
    lines = [line[1:].split("=", 1) for line in settings_example().splitlines() if line[:2] not in {"", "# ", "##"}]
    given = dict(lines)
    env.stand_in_for_missing(given)
    read = env.load(given)
    assert set(given) == {variable.name for variable in VARIABLES}
    assert all(read[variable.name] == variable.default for variable in VARIABLES if not variable.required)


def test_every_reason_for_not_being_ready_has_a_remedy() -> None:
    assert {why for _, why in REMEDIES} == set(Why)


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
    with pytest.raises(env.BadSetting, match="DATABASE_URL is set twice"):
        env.load({**NEEDED, "DATABASE_URL_FILE": str(tmp_path / "nowhere")})


def test_what_is_no_secret_does_not_come_from_a_file(tmp_path: Path) -> None:
    assert env.load({**NEEDED, "KLATSCH_TOPIC_FILE": str(tmp_path)})["KLATSCH_TOPIC"] == "klatsch.events"
