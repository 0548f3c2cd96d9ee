"""Texts for people have something to see, and nothing that acts on a terminal or a layout."""

import re
import time
import unicodedata
from collections.abc import Callable

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


def seconds_of(rule: Callable[[str], bool], text: str) -> float:
    """Returns the least CPU time of five refusals."""
    times_s = []
    for _ in range(5):
        began_s = time.thread_time()
        assert not rule(text)
        times_s.append(time.thread_time() - began_s)
    return min(times_s)


@pytest.mark.parametrize("rule", [is_line, is_text])
@pytest.mark.parametrize("repeated", ["a", " ", "\u3164", "\U000e0041", "\u3164a", "a\u3164"])
def test_a_text_of_eight_times_the_length_takes_about_eight_times_as_long_to_refuse(
    rule: Callable[[str], bool], repeated: str
) -> None:
    short_s, long_s = (seconds_of(rule, repeated * times + "\x01") for times in (2_000, 16_000))
    assert long_s < 24 * short_s  # 64 times, if each character were compared with each


@pytest.mark.parametrize(("pattern", "rule"), [(LINE, is_line), (LINE_OR_NOTHING, is_line), (TEXT_OR_NOTHING, is_text)])
def test_the_published_patterns_are_linear_too(pattern: str, rule: Callable[[str], bool]) -> None:
    search = re.compile(pattern).search
    assert search("\u3164 a")
    assert rule("\u3164 a")
    short_s, long_s = (seconds_of(lambda text: search(text) is not None, "a" * n + "\x01") for n in (2_000, 16_000))
    assert long_s < 24 * short_s


def test_a_text_that_is_too_long_for_an_emoji_is_refused_without_a_look_at_it() -> None:
    text = "e" + "\u0301" * 60_000
    began_s = time.thread_time()
    for _ in range(100):
        assert not is_emoji(text)
    assert time.thread_time() - began_s < 0.01
