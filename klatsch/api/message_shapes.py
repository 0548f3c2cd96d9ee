"""Message shapes of requests and of the OpenAPI document. Answers are `archive.message_view.MessageView`."""

from collections.abc import Callable
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from klatsch.archive.message_view import Counts, Names, PublicField, Reactions, ReplyPreview, public_fields
from klatsch.core.ids import CLIENT_ID_PATTERN, UUID_PATTERN
from klatsch.eventlog.places import PositionText
from klatsch.records.messages import CONTENT_MOST
from klatsch.records.values import Time, Uuid

_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"


@extend_schema_field(OpenApiTypes.STR)
class AnyText(serializers.Field[str, Any, str, Any]):
    """Accepts any string: `messaging.sending` checks its content for REST and sockets alike."""

    default_error_messages = {"invalid": "Not a string."}  # noqa: RUF012 - DRF's own form

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data

    def to_representation(self, value: str) -> str:
        return value


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": CONTENT_MOST, "pattern": _TEXT})
class Content(AnyText):
    """A message's text."""


@extend_schema_field({"type": "string", "pattern": CLIENT_ID_PATTERN})
class ClientId(AnyText):
    """A client's name for a message."""


@extend_schema_field({"type": "string", "pattern": UUID_PATTERN})
class MessageId(AnyText):
    """The id of a message, or null."""


class MessageBody(serializers.Serializer[Any]):
    content = Content(
        help_text=f"The text: 1 to {CONTENT_MOST} characters, without control characters other than tab and line ends."
    )
    client_id = ClientId(
        required=False,
        allow_null=True,
        help_text="Your name for the message, ideally a UUIDv7. Sending it again is a retry, not a second message.",
    )
    reply_to = MessageId(required=False, allow_null=True, help_text="The id of the message that you reply to.")


CLIENT_ID_IN_PATH = OpenApiParameter(
    "client_id",
    {"type": "string", "pattern": CLIENT_ID_PATTERN},
    OpenApiParameter.PATH,
    description="Your name for the message.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": CLIENT_ID_PATTERN},
    OpenApiParameter.HEADER,
    description="Your name for the message, as an alternative to `client_id` in the body.",
)


class ReplyPreviewSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    sender = serializers.CharField(help_text="A username.")
    content = serializers.CharField(help_text="The beginning of the text. Empty once deleted.")
    deleted = serializers.BooleanField()


_SERIALIZED: Final[dict[Any, Callable[..., serializers.Field[Any, Any, Any, Any]]]] = {
    Uuid: serializers.UUIDField,
    Time: serializers.DateTimeField,
    PositionText: serializers.CharField,
    str: serializers.CharField,
    int: serializers.IntegerField,
    bool: serializers.BooleanField,
    Reactions: lambda **options: serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), **options
    ),
    Counts: lambda **options: serializers.DictField(child=serializers.IntegerField(), **options),
    Names: lambda **options: serializers.ListField(child=serializers.CharField(), **options),
    ReplyPreview: ReplyPreviewSerializer,
}
"""The OpenAPI field of each type that a message's fields have."""


def _serialized(field: PublicField) -> "serializers.Field[Any, Any, Any, Any]":
    options: dict[str, Any] = {"allow_null": True} if field.nullable else {}
    if field.note:
        options["help_text"] = field.note
    return _SERIALIZED[field.kind](**options)


MessageSerializer: Final[type[serializers.Serializer[Any]]] = type(
    "MessageSerializer", (serializers.Serializer,), {field.name: _serialized(field) for field in public_fields()}
)
"""The shape of a `MessageView`, for the document alone: msgspec encodes the answers."""
