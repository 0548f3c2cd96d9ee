"""Messages as requests and the OpenAPI document have them; what is answered is `archive.histories.MessageView`."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from klatsch.records.messages import CONTENT_MOST

_CLIENT_ID = "^[A-Za-z0-9_-]{1,64}$"
_UUID = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
_POSITION = "A place in the log: `epoch:partition:offset`."


@extend_schema_field(OpenApiTypes.STR)
class AnyText(serializers.Field[str, Any, str, Any]):
    """A string, whatever is in it: `messaging.sending` says what is wrong with it, here as for sockets."""

    default_error_messages = {"invalid": "Not a string."}  # noqa: RUF012 - as DRF has it

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data

    def to_representation(self, value: str) -> str:
        return value


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": CONTENT_MOST, "pattern": _TEXT})
class Content(AnyText):
    """A message's text."""


@extend_schema_field({"type": "string", "pattern": _CLIENT_ID})
class ClientId(AnyText):
    """A client's name for a message."""


@extend_schema_field({"type": "string", "pattern": _UUID})
class MessageId(AnyText):
    """The id of a message, or null."""


class MessageBody(serializers.Serializer[Any]):
    content = Content(help_text=f"1 to {CONTENT_MOST} characters: no control characters but tab and line ends.")
    client_id = ClientId(
        required=False, help_text="Your name for it, best a UUIDv7; the same again is a retry, not a second message."
    )
    reply_to = MessageId(required=False, allow_null=True, help_text="The id of a message.")


CLIENT_ID_IN_PATH = OpenApiParameter(
    "client_id", {"type": "string", "pattern": _CLIENT_ID}, OpenApiParameter.PATH, description="Your name for it."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": _CLIENT_ID},
    OpenApiParameter.HEADER,
    description="The same as `client_id`.",
)


class MessageSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    client_id = serializers.CharField()
    conversation = serializers.UUIDField()
    sender = serializers.CharField(help_text="A username.")
    sender_id = serializers.UUIDField()
    receiver = serializers.CharField(allow_null=True, help_text="A username; null in a group.")
    content = serializers.CharField(help_text="Empty once deleted.")
    sent_at = serializers.DateTimeField()
    position = serializers.CharField(help_text=_POSITION)
    changed = serializers.CharField(help_text=f"That of its last change. {_POSITION}")
    seq = serializers.IntegerField(allow_null=True, help_text="Its number in its conversation, once archived.")
    edited_at = serializers.DateTimeField(allow_null=True)
    deleted = serializers.BooleanField()
    reply_to = serializers.UUIDField(allow_null=True)
    reactions = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField()), help_text="Usernames by emoji."
    )
