"""Rules for text that people see: of one line, such as a title, or of several, such as a profile's `about`.

Each rule is one regular expression that takes linear time. The interface documents show it without the characters
beyond U+FFFF, which JavaScript sees as two each without its flag `u`. The documents therefore accept a little more
than the checks do. Lone surrogates are checked apart: validators in Rust and Go refuse a pattern that names them.
"""

import re
from collections.abc import Callable
from typing import Final

import regex  # type: ignore[import-untyped]  # its stubs are a package that nothing else needs

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"
_CONTROLS_BUT_TAB_AND_LINE_ENDS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_LINE_SEPARATORS: Final = r"\u2028\u2029"
# Spaces, format characters (such as joiners, which emoji need), blank letters, and marks that only modify the
# character before them. A text of these alone is invisible.
_INVISIBLE: Final = (
    r" \xa0\xad\u0300-\u036f\u0483-\u0489\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680"
    r"\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u2000-\u200f\u202a-\u202f\u205f-\u206f\u20d0-\u20ff\u2800"
    r"\u3000\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff9-\ufffb"
)
_INVISIBLE_IN_TEXTS: Final = rf"\t\n\r{_LINE_SEPARATORS}{_INVISIBLE}"
_INVISIBLE_BEYOND: Final = "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"


def _with_something_visible(refused: str, invisible: str) -> str:
    # The first part ends at the first visible character, so a text matches in one way only. With `[^refused]*` as the
    # first part, a matcher tries each visible character in turn: quadratic time, and minutes for 256 KiB.
    return f"[{invisible}]*[^{refused}{invisible}][^{refused}]*"


def _matcher(refused: str, invisible: str) -> Callable[[str], re.Match[str] | None]:
    return re.compile(_with_something_visible(refused, invisible + _INVISIBLE_BEYOND)).fullmatch


LINE: Final = f"^{_with_something_visible(_CONTROLS + _LINE_SEPARATORS, _INVISIBLE)}$"
"""One line with a visible character."""
LINE_OR_NOTHING: Final = f"^({LINE[1:-1]})?$"
TEXT_OR_NOTHING: Final = f"^({_with_something_visible(_CONTROLS_BUT_TAB_AND_LINE_ENDS, _INVISIBLE_IN_TEXTS)})?$"
"""Text of several lines with a visible character, or the empty text."""

_match_line: Final = _matcher(_CONTROLS + _LINE_SEPARATORS, _INVISIBLE)
_match_text: Final = _matcher(_CONTROLS_BUT_TAB_AND_LINE_ENDS, _INVISIBLE_IN_TEXTS)
_find_surrogate: Final = re.compile("[\ud800-\udfff]").search


def is_line(text: str) -> bool:
    """Returns whether the text is one line with a visible character, and without control characters."""
    return _match_line(text) is not None and _find_surrogate(text) is None


def is_text(text: str) -> bool:
    """Returns whether the text, of one or more lines, has a visible character and no control character."""
    return _match_text(text) is not None and _find_surrogate(text) is None


EMOJI_BYTES_MOST: Final = 32
"""The most bytes of an emoji in UTF-8: a family of four has 25."""
_is_grapheme: Final = regex.compile(r"\X").fullmatch


def is_emoji(text: str) -> bool:
    """Returns whether the text is one visible character as people see it (a grapheme, UAX 29) of at most 32 bytes."""
    if len(text) > EMOJI_BYTES_MOST or not is_line(text):  # the length first: a frame has room for 60,000 marks
        return False
    return len(text.encode()) <= EMOJI_BYTES_MOST and _is_grapheme(text) is not None
