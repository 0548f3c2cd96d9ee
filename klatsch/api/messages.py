"""Messages over REST: send them, read histories."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import read_body, read_query
from klatsch.api.histories import (
    HistoryQuery,
    MessagePage,
    MomentKey,
    PlaceQuery,
    bytes_response,
    history_response,
    page_of_bytes,
    wait_for_archive,
)
from klatsch.api.message_shapes import CLIENT_ID_IN_PATH, IDEMPOTENCY_KEY, MessageBody, MessageSerializer
from klatsch.api.pages import cut, read_window
from klatsch.api.ports import ports_of
from klatsch.api.routes import route_of
from klatsch.api.schema import NEIGHBOURS, operation
from klatsch.archive.histories import list_own_messages
from klatsch.conversations.access import Access
from klatsch.conversations.queries import check_member, get_access, get_direct_id
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.errors import BadRequest, FieldError
from klatsch.core.ids import uuid7
from klatsch.messaging.outcomes import refusals_counted
from klatsch.messaging.posting import post_message
from klatsch.messaging.sending import Draft, check_audience, check_draft, check_rate

_SEND = "201 means archived, which is final. 202 means accepted into the log: the archive may still refuse it."


class DirectMessages(APIView):
    own_rate = frozenset({"POST"})

    @operation(
        "send_to_user",
        "Send a direct message",
        f"The first direct message creates the conversation. {_SEND}",
        request=MessageBody,
        parameters=(IDEMPOTENCY_KEY,),
        answers={201: MessageSerializer, 202: MessageSerializer},
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def post(self, request: Request, username: str) -> HttpResponse:
        person = person_of(request)
        return _send(
            request,
            lambda: ensure_direct_conversation(sender=person, receiver_username=username, log=ports_of(request).log),
        )

    @operation(
        "list_messages_with_user",
        "List direct messages",
        "Returns your direct messages with this person, newest first.",
        parameters=(PlaceQuery, NEIGHBOURS),
        answers={200: MessagePage},
        refusals=(400, 401, 404),
    )
    def get(self, request: Request, username: str) -> HttpResponse:
        conversation_id = get_direct_id(user_id=person_of(request).id, username=username)
        return history_response(request, conversation_id)


class ConversationMessages(APIView):
    own_rate = frozenset({"POST"})

    @operation(
        "send_to_conversation",
        "Send a message",
        _SEND,
        request=MessageBody,
        parameters=(IDEMPOTENCY_KEY,),
        answers={201: MessageSerializer, 202: MessageSerializer},
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def post(self, request: Request, conversation_id: UUID) -> HttpResponse:
        return _send(request, lambda: _access(request, conversation_id))

    @operation(
        "list_messages",
        "List messages",
        "Returns a conversation's messages, newest first by position. Members can read the whole history.",
        parameters=(PlaceQuery, NEIGHBOURS),
        answers={200: MessagePage},
        refusals=(400, 401, 404),
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        check_member(user_id=person_of(request).id, conversation_id=conversation_id)
        response = history_response(request, conversation_id)
        if "at_least" in request.query_params:  # somebody who is removed while this waits gets nothing from after that
            check_member(user_id=person_of(request).id, conversation_id=conversation_id)
        return response


class NamedMessage(APIView):
    own_rate = frozenset({"PUT"})

    @operation(
        "put_message",
        "Send a message idempotently",
        f"Repeating the request with the same `client_id` is a retry, not a second message. {_SEND}",
        request=MessageBody,
        parameters=(CLIENT_ID_IN_PATH,),
        answers={201: MessageSerializer, 202: MessageSerializer},
        refusals=(400, 401, 404, 409, 410, 429),
    )
    def put(self, request: Request, conversation_id: UUID, client_id: str) -> HttpResponse:
        return _send(request, lambda: _access(request, conversation_id), client_id)


class OwnMessages(APIView):
    @operation(
        "list_own_messages",
        "List all your messages",
        "Returns the messages of all your conversations, newest first by (`sent_at`, `id`).",
        parameters=(HistoryQuery, NEIGHBOURS),
        answers={200: MessagePage},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> HttpResponse:
        query = read_query(request, HistoryQuery)
        window = read_window(query, MomentKey)
        wait_for_archive(request, query)
        messages = list_own_messages(
            user_id=person_of(request).id, limit=window.fetch, after=window.after, before=window.before
        )
        return page_of_bytes(request, cut(messages, window, MomentKey.of))


def _access(request: Request, conversation_id: UUID) -> Access:
    person = person_of(request)
    return get_access(
        sender_id=person.id,
        sender_username=person.username,
        conversation_id=conversation_id,
        log=ports_of(request).log,
    )


def _send(request: Request, find_access: Callable[[], Access], client_id: str | None = None) -> HttpResponse:
    """Posts the body's message. Checks the draft first, so that a refused draft creates no conversation."""
    ports = ports_of(request)
    with refusals_counted():
        check_rate(ports.rates, str(person_of(request).id), time.monotonic())
        draft = _read_draft(request, client_id, ports.clock())
        check_draft(draft)
        access = find_access()
        check_audience(ports.rates, access.sender_id, access.member_count, time.monotonic())
    posted = post_message(route=route_of(request), access=access, draft=draft, clock=ports.clock)
    return bytes_response(posted.message, status=201 if posted.archived else 202)


def _read_draft(request: Request, path_client_id: str | None, now_ms: int) -> Draft:
    """Returns the body's draft under the `client_id` that path, header and body agree on, or under a new one."""
    body = read_body(request, MessageBody)
    names = {path_client_id, request.headers.get("Idempotency-Key"), body.get("client_id")} - {None}
    if len(names) > 1:
        field = FieldError(
            "client_id", "contradiction", "Use one client_id in the path, the Idempotency-Key header and the body."
        )
        raise BadRequest("The request gives the message two different client_ids.", fields=(field,))
    client_id = names.pop() if names else uuid7(now_ms)
    return Draft(content=body["content"], client_id=str(client_id), reply_to=body.get("reply_to"))


urlpatterns: list[Any] = [
    path("messages", OwnMessages.as_view()),
    path("users/<str:username>/messages", DirectMessages.as_view()),
    path("conversations/<uuid:conversation_id>/messages", ConversationMessages.as_view()),
    path("conversations/<uuid:conversation_id>/messages/<str:client_id>", NamedMessage.as_view()),
]
