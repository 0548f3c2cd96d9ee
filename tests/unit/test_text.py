"""What people are shown: lines and texts with something to see, and nothing that acts on a terminal or a layout."""

import re
import time
import unicodedata

import pytest

from klatsch.core.text import LINE, LINE_OR_NOTHING, TEXT_OR_NOTHING, is_emoji, is_line, is_text

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"


@pytest.mark.parametrize(
    "line", ["Tea", " Tea ", "\u202bשלום", FAMILY, "\N{BLACK HEART}\ufe0f", "é", "e\u0301", "नमस्ते", "١"]
)
def test_words_of_any_script_and_emoji_are_a_line(line: str) -> None:
    assert is_line(line)
    assert is_text(line)


def test_a_lone_surrogate_is_in_no_line() -> None:
    assert not is_line("a\ud800b")


@pytest.mark.parametrize("refused", ["\0", "\x1b", "\x7f", "\x85"])
def test_control_characters_are_in_no_line_and_no_text(refused: str) -> None:
    assert not is_line(f"a{refused}b")
    assert not is_text(f"a{refused}b")


@pytest.mark.parametrize("end", ["\n", "\r", "\t", "\u2028", "\u2029"])
def test_what_ends_a_line_is_in_texts_alone(end: str) -> None:
    assert not is_line(f"a{end}b")
    assert not is_line(f"a{end}")
    assert is_text(f"a{end}b")


@pytest.mark.parametrize(
    "nothing", [" ", "\u200b", "\u200d\ufe0f", "\u3164", "\u2800", "\u0301", "\U000e0041", "\ufeff\xad", "\u2066\u2069"]
)
def test_what_nobody_sees_is_neither(nothing: str) -> None:
    assert not is_line(nothing)
    assert not is_text(nothing)


def test_no_space_separator_or_format_character_can_be_seen_but_the_few_that_print() -> None:
    printing = {0x110BD, 0x110CD}
    hidden = {n for n in range(0x110000) if unicodedata.category(chr(n)) in {"Zs", "Zl", "Zp", "Cf", "Cc"}}
    assert {n for n in hidden if is_line(chr(n))} == printing


def test_nothing_at_all_clears_a_profile_and_is_no_title() -> None:
    assert re.search(LINE, "") is None
    assert re.search(LINE_OR_NOTHING, "")
    assert re.search(TEXT_OR_NOTHING, "")


def test_a_text_that_is_too_long_for_an_emoji_is_refused_without_a_look_at_it() -> None:
    text = "e" + "\u0301" * 60_000
    began_s = time.thread_time()
    for _ in range(100):
        assert not is_emoji(text)
    assert time.thread_time() - began_s < 0.01
