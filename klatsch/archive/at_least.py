"""`at_least`: how far a reader wants the archive to be, as a position or as a resume token (D8). No I/O."""

import re

from klatsch.core.errors import BadRequest, FieldError

_POSITION = re.compile(r"\d{1,5}:\d{1,5}:\d{1,19}", re.ASCII)
_TOKEN = re.compile(r"\d{1,5}\.[A-Za-z0-9_-]{1,64}(\.\d{1,5}:\d{1,19})+", re.ASCII)


def parse_at_least(text: str) -> tuple[int, dict[int, int]]:
    """The epoch and the next offset of each partition that a position or a resume token asks for; raises BadRequest."""
    if _POSITION.fullmatch(text):
        epoch, partition, offset = map(int, text.split(":"))
        return epoch, {partition: offset + 1}
    if _TOKEN.fullmatch(text):
        first, _, *pairs = text.split(".")
        return int(first), {int(partition): int(offset) for partition, offset in (pair.split(":") for pair in pairs)}
    field = FieldError("at_least", "invalid", "epoch:partition:offset, or a resume token")
    raise BadRequest("at_least must be a position or a resume token.", fields=(field,))
