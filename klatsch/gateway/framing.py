"""Splits a client's WebSocket stream at its frames, without looking into them (RFC 6455, 5.2). Bytes in, bytes out."""

from collections.abc import Iterable
from typing import Final

_WHOLE_TEXT: Final = 0x81
"""The first byte of a text message in one frame, without reserved bits."""
_MASKED: Final = 0x80
_SIZE: Final = 0x7F
_SIZE_IN_2: Final = 126
_MASK_BYTES: Final = 4
_KEPT_MOST: Final = 4_096
"""The bytes of a frame for which is waited; a larger one passes as it comes."""


class Splitter:
    """Separates text messages that come in one frame from all other bytes of a stream; loses and reorders nothing.

    A text of up to 4 KiB of which only the beginning has come is kept for the next call, once. If it is not whole then,
    its bytes pass as they come.
    """

    __slots__ = ("_left", "kept")

    def __init__(self) -> None:
        self.kept = b""
        self._left = 0
        """The bytes still to come of a frame whose first bytes have passed."""

    @property
    def is_between_frames(self) -> bool:
        """Returns whether the next byte is the first one of a frame."""
        return not self.kept and not self._left

    def split(self, data: bytes) -> list[tuple[bytes, int]]:
        """Returns whole masked text frames, each with its payload's place in it, and other bytes with 0."""
        kept = len(self.kept)
        if kept:
            data = self.kept + data
            self.kept = b""
        size = len(data)
        parts: list[tuple[bytes, int]] = []
        passed = at = min(self._left, size)
        if at:
            self._left -= at
            passed = 0
        while at < size:
            payload, end = _find_payload(data, at)
            if not payload or (size < end <= at + _KEPT_MOST and at >= kept and _is_text(data, at)):
                self.kept = data[at:]
                break
            if end > size:
                self._left = end - size
                at = size
            elif _is_text(data, at):
                if passed < at:
                    parts.append((data[passed:at], 0))
                parts.append((data[at:end], payload - at))
                passed = at = end
            else:
                at = end
        if passed < at:
            parts.append((data[passed:at], 0))
        return parts


def is_utf8(fragments: Iterable[bytes]) -> bool:
    """Returns whether the fragments of a message are UTF-8 together."""
    try:
        b"".join(fragments).decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_text(data: bytes, at: int) -> bool:
    return data[at] == _WHOLE_TEXT and data[at + 1] >= _MASKED


def _find_payload(data: bytes, at: int) -> tuple[int, int]:
    """Returns where the payload of the frame at that place begins and ends; (0, 0) if its header is incomplete."""
    begin = at + 2
    if begin > len(data):
        return 0, 0
    size = data[at + 1] & _SIZE
    if size >= _SIZE_IN_2:
        width = 2 if size == _SIZE_IN_2 else 8
        size = int.from_bytes(data[begin : begin + width], "big")
        begin += width
    if data[at + 1] & _MASKED:
        begin += _MASK_BYTES
    return (begin, begin + size) if begin <= len(data) else (0, 0)
