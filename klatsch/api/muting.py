"""Mutes of conversations over REST."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import read_body
from klatsch.api.histories import bytes_response
from klatsch.api.ports import ports_of
from klatsch.api.schema import operation
from klatsch.conversations.caps import check_changes
from klatsch.conversations.muting import MUTE_YEARS_MOST, mute_conversation, unmute_conversation
from klatsch.core.clock import timestamp


class MuteBody(serializers.Serializer[Any]):
    until = serializers.DateTimeField(
        required=False,
        allow_null=True,
        default=None,
        help_text=f"A time in the next {MUTE_YEARS_MOST} years. Without it, the mute has no end.",
    )


class MuteSerializer(serializers.Serializer[Any]):
    muted_until = serializers.DateTimeField(help_text="`9999-12-31T23:59:59.000Z` for a mute without an end.")


class Mute(APIView):
    @operation(
        "mute_conversation",
        "Mute a conversation",
        "Mutes the conversation for you alone. Messages still arrive: clients decide what to notify of.",
        request=MuteBody,
        answers={200: MuteSerializer},
        refusals=(400, 401, 404, 429),
    )
    def put(self, request: Request, conversation_id: UUID) -> HttpResponse:
        ports, person_id = ports_of(request), person_of(request).id
        check_changes(ports.changes, person_id, 1, time.monotonic())
        end = mute_conversation(
            user_id=person_id,
            conversation_id=conversation_id,
            until=read_body(request, MuteBody)["until"],
            now=datetime.fromtimestamp(ports.clock() / 1000, UTC),
        )
        return bytes_response({"muted_until": timestamp(int(end.timestamp()) * 1000 + end.microsecond // 1000)})

    @operation(
        "unmute_conversation",
        "Unmute a conversation",
        "Ends the mute. Repeating this is harmless.",
        answers={204: None},
        refusals=(401, 404, 429),
    )
    def delete(self, request: Request, conversation_id: UUID) -> Response:
        person_id = person_of(request).id
        check_changes(ports_of(request).changes, person_id, 1, time.monotonic())
        unmute_conversation(user_id=person_id, conversation_id=conversation_id)
        return Response(status=204)


urlpatterns: list[Any] = [path("conversations/<uuid:conversation_id>/mute", Mute.as_view())]
