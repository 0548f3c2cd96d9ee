"""Mentions, pins, and what belongs to one message, over REST: its versions and reactions."""

from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import read_query
from klatsch.api.histories import HistoryQuery, MessagePage, MomentKey, page_of_bytes, wait_for_archive
from klatsch.api.pages import Page, PageQuery, cut, read_window
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.archive.details import ReactionView, VersionView, check_readable, list_reactions, list_versions
from klatsch.archive.histories import list_mentions, list_pins
from klatsch.conversations.queries import check_member
from klatsch.eventlog.places import EPOCH_MOST, OFFSET_MOST, Position


class MentionKey(MomentKey):
    """A cursor in the list of mentions."""


class DetailKey(NamedTuple):
    """A cursor among the versions of a message, or its reactions."""

    epoch: Annotated[int, msgspec.Meta(ge=0, le=EPOCH_MOST)]
    offset: Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MOST)]

    @classmethod
    def of(cls, detail: VersionView | ReactionView) -> "DetailKey":
        position = Position.parse(detail.position)
        return cls(position.epoch, position.offset)


class VersionSerializer(serializers.Serializer[Any]):
    content = serializers.CharField()
    written_at = serializers.DateTimeField()
    position = serializers.CharField(help_text="That of the record that brought this text.")


class ReactionSerializer(serializers.Serializer[Any]):
    emoji = serializers.CharField()
    user = serializers.CharField(help_text="A username.")
    user_id = serializers.UUIDField()
    position = serializers.CharField(help_text="That of the reaction's record.")


class Mentions(APIView):
    @operation(
        "list_mentions",
        "List mentions of you",
        "Returns the messages that mention you, of all your conversations, newest first by (`sent_at`, `id`).",
        parameters=(HistoryQuery, NEIGHBOURS),
        answers={200: MessagePage},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> HttpResponse:
        query = read_query(request, HistoryQuery)
        window = read_window(query, MentionKey)
        wait_for_archive(request, query)
        messages = list_mentions(
            user_id=person_of(request).id, limit=window.fetch, after=window.after, before=window.before
        )
        return page_of_bytes(request, cut(messages, window, MentionKey.of))


class Pins(APIView):
    @operation(
        "list_pins",
        "List pinned messages",
        "Returns the pinned messages of a conversation, the newest pin first. There are at most 50.",
        answers={200: MessagePage},
        refusals=(401, 404),
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        check_member(user_id=person_of(request).id, conversation_id=conversation_id)
        return page_of_bytes(request, Page(list_pins(conversation_id), None, None))


class Versions(APIView):
    @operation(
        "list_versions",
        "List the versions of a message",
        "Returns the texts that a message had and has, the oldest first.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(VersionSerializer, "VersionPage")},
        refusals=(400, 401, 404, 410),
    )
    def get(self, request: Request, message_id: UUID) -> HttpResponse:
        window = read_window(read_query(request, PageQuery), DetailKey)
        check_readable(user_id=person_of(request).id, message_id=message_id)
        versions = list_versions(message_id=message_id, limit=window.fetch, after=window.after, before=window.before)
        return page_of_bytes(request, cut(versions, window, DetailKey.of))


class Reactions(APIView):
    @operation(
        "list_reactions",
        "List the reactions to a message",
        "Returns who reacted with what, in the order of time.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(ReactionSerializer, "ReactionPage")},
        refusals=(400, 401, 404, 410),
    )
    def get(self, request: Request, message_id: UUID) -> HttpResponse:
        window = read_window(read_query(request, PageQuery), DetailKey)
        check_readable(user_id=person_of(request).id, message_id=message_id)
        reactions = list_reactions(message_id=message_id, limit=window.fetch, after=window.after, before=window.before)
        return page_of_bytes(request, cut(reactions, window, DetailKey.of))


urlpatterns: list[Any] = [
    path("mentions", Mentions.as_view()),
    path("conversations/<uuid:conversation_id>/pins", Pins.as_view()),
    path("messages/<uuid:message_id>/versions", Versions.as_view()),
    path("messages/<uuid:message_id>/reactions", Reactions.as_view()),
]
