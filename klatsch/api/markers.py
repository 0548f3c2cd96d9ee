"""Markers over REST: mark a conversation as received or read, list others' markers, flag it as unread."""

import time
from typing import Any, NamedTuple
from uuid import UUID

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import TextField, read_body, read_query
from klatsch.api.histories import bytes_response, page_of_bytes
from klatsch.api.pages import PageQuery, cut, read_window
from klatsch.api.ports import ports_of
from klatsch.api.routes import route_of
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.archive.markers import MarkerView, list_markers
from klatsch.conversations.queries import check_member
from klatsch.eventlog.places import Position
from klatsch.messaging.marks import Marked
from klatsch.messaging.reading import flag_unread, mark_conversation

_POSITION_CHARACTERS_MOST = 32


class PositionField(TextField):
    """A position, `epoch:partition:offset`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=_POSITION_CHARACTERS_MOST, **options)


class MarkBody(serializers.Serializer[Any]):
    delivered = PositionField(
        required=False, allow_null=True, help_text="The position of the last message that you have received."
    )
    read = PositionField(
        required=False, allow_null=True, help_text="The position of the last message that you have read."
    )


class UnreadFromBody(serializers.Serializer[Any]):
    position = PositionField(help_text="The position of the first message that you want to read again.")


class OwnMarkersSerializer(serializers.Serializer[Any]):
    delivered = serializers.CharField(allow_null=True, help_text="You have received everything up to this position.")
    read = serializers.CharField(allow_null=True, help_text="You have read everything up to this position.")


class OwnMarkerSerializer(OwnMarkersSerializer):
    unread_from = serializers.CharField(allow_null=True, help_text="You have marked it as unread from this position.")


class MemberMarkerSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(help_text="A username.")
    user_id = serializers.UUIDField()
    delivered = serializers.CharField(allow_null=True)
    read = serializers.CharField(allow_null=True)


class MarkerKey(NamedTuple):
    username: str

    @classmethod
    def of(cls, view: MarkerView) -> "MarkerKey":
        return cls(view.user)


class Markers(APIView):
    @operation(
        "list_markers",
        "List members' markers",
        "Returns how far the other members have received and read the conversation, by username. People who have "
        "switched `read_receipts` off are left out.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(MemberMarkerSerializer, "MarkerPage")},
        refusals=(400, 401, 404),
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        window = read_window(read_query(request, PageQuery), MarkerKey)
        person_id = person_of(request).id
        check_member(user_id=person_id, conversation_id=conversation_id)
        views = list_markers(
            user_id=person_id,
            conversation_id=conversation_id,
            limit=window.fetch,
            after=window.after,
            before=window.before,
        )
        return page_of_bytes(request, cut(views, window, MarkerKey.of))

    @operation(
        "mark_conversation",
        "Mark a conversation as received or read",
        "Moves your marker up to these positions, and returns it as it is then. A lower position changes nothing. A "
        "position beyond the last message is taken as that of the last message. Your other devices and `unread` "
        "follow within a second. Give `delivered`, `read` or both.",
        request=MarkBody,
        answers={200: OwnMarkerSerializer},
        refusals=(400, 401, 404, 429),
    )
    def put(self, request: Request, conversation_id: UUID) -> HttpResponse:
        body = read_body(request, MarkBody)
        marked = mark_conversation(
            marking=ports_of(request).marking,
            route=route_of(request),
            user_id=person_of(request).id,
            conversation_id=conversation_id,
            delivered=body.get("delivered"),
            read=body.get("read"),
            now_s=time.monotonic(),
        )
        return bytes_response(_shown(marked))


class UnreadFrom(APIView):
    @operation(
        "mark_unread",
        "Mark a conversation as unread",
        "Marks the conversation as unread from this position on, for you alone. `unread` counts from there until you "
        "next mark something as read, or until you take it back.",
        request=UnreadFromBody,
        answers={200: OwnMarkerSerializer},
        refusals=(400, 401, 404, 429),
    )
    def put(self, request: Request, conversation_id: UUID) -> HttpResponse:
        position = read_body(request, UnreadFromBody)["position"]
        return bytes_response(_shown(self._flag(request, conversation_id, position)))

    @operation(
        "unmark_unread",
        "Take back that a conversation is unread",
        "Removes the mark. Repeating this is harmless.",
        answers={204: None},
        refusals=(401, 404, 429),
    )
    def delete(self, request: Request, conversation_id: UUID) -> Response:
        self._flag(request, conversation_id, None)
        return Response(status=204)

    @staticmethod
    def _flag(request: Request, conversation_id: UUID, position: str | None) -> Marked:
        return flag_unread(
            marking=ports_of(request).marking,
            route=route_of(request),
            user_id=person_of(request).id,
            conversation_id=conversation_id,
            position=position,
            now_s=time.monotonic(),
        )


def _shown(marked: Marked) -> dict[str, str | None]:
    def text(position: Position | None) -> str | None:
        return None if position is None else str(position)

    return {
        "delivered": text(marked.delivered),
        "read": text(marked.read),
        "unread_from": text(marked.unread_from),
    }


urlpatterns: list[Any] = [
    path("conversations/<uuid:conversation_id>/markers", Markers.as_view()),
    path("conversations/<uuid:conversation_id>/unread-from", UnreadFrom.as_view()),
]
