"""One message over REST: get it, edit it, delete it, react to it, pin it."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import read_body
from klatsch.api.histories import bytes_response
from klatsch.api.message_shapes import AnyText, Content, MessageSerializer
from klatsch.api.ports import ports_of
from klatsch.api.routes import route_of
from klatsch.api.schema import operation
from klatsch.archive.details import get_message
from klatsch.archive.targets import Wanted
from klatsch.core.ids import CLIENT_ID_PATTERN, uuid7
from klatsch.messaging.applying import apply_change
from klatsch.messaging.changing import Delete, Edit, Pin, React, Wish, check_change
from klatsch.messaging.outcomes import refusals_counted
from klatsch.messaging.sending import check_rate

_ANSWERS = {200: MessageSerializer, 202: MessageSerializer}
_ANSWER = "200 means archived, which is final. 202 means accepted into the log: the change may still not count."
_NAME = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": CLIENT_ID_PATTERN},
    OpenApiParameter.HEADER,
    description="Your name for the change. Sending it again is a retry, not a second change.",
)
_EMOJI = OpenApiParameter("emoji", str, OpenApiParameter.PATH, description="One emoji of at most 32 bytes in UTF-8.")


class EditBody(serializers.Serializer[Any]):
    content = Content(help_text="The new text.")
    base = AnyText(
        required=False,
        allow_null=True,
        help_text="The `changed` of the message that you edit. With another edit since, the answer is `conflict`.",
    )


class MessageById(APIView):
    own_rate = frozenset({"PATCH", "DELETE"})

    @operation(
        "get_message",
        "Get a message",
        "Returns one message of one of your conversations.",
        answers={200: MessageSerializer},
        refusals=(401, 404),
    )
    def get(self, request: Request, message_id: UUID) -> HttpResponse:
        return bytes_response(get_message(user_id=person_of(request).id, message_id=message_id))

    @operation(
        "edit_message",
        "Edit a message",
        f"Replaces the text of your own message. Earlier versions are kept. {_ANSWER}",
        request=EditBody,
        parameters=(_NAME,),
        answers=_ANSWERS,
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def patch(self, request: Request, message_id: UUID) -> HttpResponse:
        return _change(request, message_id, lambda: _read_edit(request))

    @operation(
        "delete_message",
        "Delete a message",
        "Deletes your own message, or anybody's as an owner or an admin of the group. Its text, versions, mentions, "
        f"reactions and pin are removed for good. {_ANSWER}",
        parameters=(_NAME,),
        answers=_ANSWERS,
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def delete(self, request: Request, message_id: UUID) -> HttpResponse:
        return _change(request, message_id, Delete)


class Reaction(APIView):
    own_rate = frozenset({"PUT", "DELETE"})

    @operation(
        "add_reaction",
        "Add a reaction",
        f"Adds your reaction to a message. Repeating it changes nothing. {_ANSWER}",
        parameters=(_EMOJI, _NAME),
        answers=_ANSWERS,
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def put(self, request: Request, message_id: UUID, emoji: str) -> HttpResponse:
        return _change(request, message_id, lambda: React(emoji, on=True))

    @operation(
        "remove_reaction",
        "Remove a reaction",
        f"Takes your reaction back. {_ANSWER}",
        parameters=(_EMOJI, _NAME),
        answers=_ANSWERS,
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def delete(self, request: Request, message_id: UUID, emoji: str) -> HttpResponse:
        return _change(request, message_id, lambda: React(emoji, on=False))


class MessagePin(APIView):
    own_rate = frozenset({"PUT", "DELETE"})

    @operation(
        "pin_message",
        "Pin a message",
        f"Pins a message in its conversation: in a group, owners and admins may. {_ANSWER}",
        parameters=(_NAME,),
        answers=_ANSWERS,
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def put(self, request: Request, message_id: UUID) -> HttpResponse:
        return _change(request, message_id, lambda: Pin(on=True))

    @operation(
        "unpin_message",
        "Unpin a message",
        f"Takes a message's pin off. {_ANSWER}",
        parameters=(_NAME,),
        answers=_ANSWERS,
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def delete(self, request: Request, message_id: UUID) -> HttpResponse:
        return _change(request, message_id, lambda: Pin(on=False))


def _read_edit(request: Request) -> Edit:
    body = read_body(request, EditBody)
    return Edit(body["content"], body.get("base"))


def _change(request: Request, message_id: UUID, find_wish: Callable[[], Wish]) -> HttpResponse:
    """Applies the request's change. Counts it before its body is read: a malformed one costs as much."""
    ports, person = ports_of(request), person_of(request)
    with refusals_counted():
        check_rate(ports.rates, str(person.id), time.monotonic())
        wish = find_wish()
        given = request.headers.get("Idempotency-Key")
        client_id = uuid7(ports.clock()) if given is None else given
        check_change(wish, client_id)
    applied = apply_change(
        route=route_of(request),
        rates=ports.rates,
        wanted=Wanted(message_id.bytes, person.id.bytes),
        wish=wish,
        client_id=client_id,
        clock=ports.clock,
        edit_window_s=settings.ENV["KLATSCH_EDIT_WINDOW_SECONDS"],
    )
    return bytes_response(applied.message, status=200 if applied.archived else 202)


urlpatterns: list[Any] = [
    path("messages/<uuid:message_id>", MessageById.as_view()),
    path("messages/<uuid:message_id>/reactions/<path:emoji>", Reaction.as_view()),
    path("messages/<uuid:message_id>/pin", MessagePin.as_view()),
]
