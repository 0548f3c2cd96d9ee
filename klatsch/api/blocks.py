"""Blocks over REST: list them, block and unblock people."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import read_query
from klatsch.api.histories import page_of_bytes
from klatsch.api.members import changing_groups
from klatsch.api.pages import PageQuery, cut, read_window
from klatsch.api.ports import ports_of
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.conversations.blocks import BlockView, block_person, list_blocks, unblock_person

_PEOPLE = 2
"""The people who are told of a block: those of a direct conversation."""


class BlockSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(help_text="The blocked person's username.")
    user_id = serializers.UUIDField()
    blocked_at = serializers.DateTimeField()


class BlockKey(NamedTuple):
    blocked_at: Annotated[datetime, msgspec.Meta(tz=True)]
    user_id: UUID

    @classmethod
    def of(cls, block: BlockView) -> "BlockKey":
        return cls(block.blocked_at, UUID(block.user_id))


class Blocks(APIView):
    @operation(
        "list_blocks",
        "List blocked people",
        "Returns the people whom you have blocked, newest first.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(BlockSerializer, "BlockPage")},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> HttpResponse:
        window = read_window(read_query(request, PageQuery), BlockKey)
        blocks = list_blocks(
            person_id=person_of(request).id, limit=window.fetch, after=window.after, before=window.before
        )
        return page_of_bytes(request, cut(blocks, window, BlockKey.of))


class BlockByName(APIView):
    @operation(
        "block_user",
        "Block a person",
        "From then on this person can neither write to you nor add or invite you to groups, and you cannot write to "
        "them. Both of you keep the history, and groups that you share stay as they are. Repeating this is harmless.",
        answers={204: None},
        refusals=(400, 401, 404, 409, 429),
    )
    def put(self, request: Request, username: str) -> Response:
        person = person_of(request)
        with changing_groups(request, _PEOPLE):
            block_person(blocker=person, username=username, log=ports_of(request).log)
        return Response(status=204)

    @operation(
        "unblock_user",
        "Unblock a person",
        "This person can write to you again. What they wrote meanwhile was refused and does not come back.",
        answers={204: None},
        refusals=(400, 401, 404, 429),
    )
    def delete(self, request: Request, username: str) -> Response:
        with changing_groups(request, _PEOPLE):
            unblock_person(blocker_id=person_of(request).id, username=username, log=ports_of(request).log)
        return Response(status=204)


urlpatterns: list[Any] = [
    path("blocks", Blocks.as_view()),
    path("blocks/<str:username>", BlockByName.as_view()),
]
