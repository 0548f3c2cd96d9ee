"""`at_least`: the position or resume token that a reader wants the archive to have reached (D8). No I/O."""

from klatsch.core.errors import BadRequest, FieldError
from klatsch.eventlog.places import Position, ResumeToken


def parse_at_least(text: str) -> tuple[int, dict[int, int]]:
    """Returns the epoch and the wanted next offset of each partition; raises BadRequest."""
    try:
        if "." in text:
            token = ResumeToken.parse(text)
            return token.epoch, dict(enumerate(token.offsets))
        position = Position.parse(text)
    except ValueError as error:
        field = FieldError("at_least", "invalid", "Use epoch:partition:offset, or a resume token.")
        raise BadRequest("at_least must be a position or a resume token.", fields=(field,)) from error
    return position.epoch, {position.partition: position.offset + 1}
