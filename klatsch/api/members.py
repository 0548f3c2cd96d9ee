"""Members of conversations over REST: list them, add and remove them, change their roles."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, get_args
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
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.conversations import groups
from klatsch.conversations.caps import check_changes
from klatsch.conversations.queries import ROLE_CHOICES, MemberView, check_member, count_members, list_members
from klatsch.messaging.acquaintances import find_addable
from klatsch.records.invitations import InvitationState


class MemberSerializer(serializers.Serializer[Any]):
    user = serializers.CharField(help_text="The member's username.")
    user_id = serializers.UUIDField()
    role = serializers.ChoiceField(ROLE_CHOICES)


class FullMemberSerializer(MemberSerializer):
    joined_at = serializers.DateTimeField()


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation to a group. Title, description and number of members are empty unless it is open."""

    id = serializers.UUIDField()
    conversation = serializers.UUIDField()
    title = serializers.CharField()
    description = serializers.CharField()
    member_count = serializers.IntegerField()
    user = serializers.CharField(help_text="The invited person's username.")
    user_id = serializers.UUIDField()
    invited_by = serializers.CharField(help_text="The username of the person who invited.")
    state = serializers.ChoiceField(get_args(InvitationState))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    version = serializers.IntegerField(help_text="Grows with every change of the invitation.")


class MemberBody(serializers.Serializer[Any]):
    username = TextField()


class RoleBody(serializers.Serializer[Any]):
    role = serializers.ChoiceField(ROLE_CHOICES)


class MemberKey(NamedTuple):
    username: str

    @classmethod
    def of(cls, member: MemberView) -> "MemberKey":
        return cls(member.user)


@contextmanager
def changing_groups(request: Request, people: int) -> Iterator[None]:
    """Admits a change of a group that `people` members are told of; raises RateLimited.

    Raises Unavailable while too many requests of the same person wait for the log.
    """
    ports, person_id = ports_of(request), person_of(request).id
    check_changes(ports.changes, person_id, people, time.monotonic())
    with ports.waits.enter(str(person_id)):
        yield


@contextmanager
def changing_own_group(request: Request, conversation_id: UUID) -> Iterator[None]:
    """Admits a change of a group like `changing_groups`. What it costs does not tell strangers the group's size."""
    told = count_members(user_id=person_of(request).id, conversation_id=conversation_id)
    with changing_groups(request, told):
        yield


class Members(APIView):
    @operation(
        "list_members",
        "List members",
        "Returns all members of a conversation, by username.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(FullMemberSerializer, "MemberPage")},
        refusals=(400, 401, 404),
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        check_member(user_id=person_of(request).id, conversation_id=conversation_id)
        window = read_window(read_query(request, PageQuery), MemberKey)
        members = list_members(
            conversation_id=conversation_id, limit=window.fetch, after=window.after, before=window.before
        )
        return page_of_bytes(request, cut(members, window, MemberKey.of))

    @operation(
        "add_member",
        "Add a member",
        "Adds a person to a group. Owners and admins may. New members can read the whole history. Existing members "
        "keep their role. A person who has never sent you a direct message is invited instead: the answer is 202 with "
        "the invitation.",
        request=MemberBody,
        answers={201: FullMemberSerializer, 202: InvitationSerializer},
        refusals=(400, 401, 404, 409, 429),
    )
    def post(self, request: Request, conversation_id: UUID) -> HttpResponse:
        with changing_own_group(request, conversation_id):
            added = groups.add_member(
                actor_id=person_of(request).id,
                conversation_id=conversation_id,
                username=read_body(request, MemberBody)["username"],
                log=ports_of(request).log,
                acquaintances=find_addable,
            )
        return bytes_response(added, 201 if isinstance(added, MemberView) else 202)


class MemberByName(APIView):
    @operation(
        "change_role",
        "Change a member's role",
        "Changes the role of a group's member. Only owners may, and one owner must remain.",
        request=RoleBody,
        answers={200: FullMemberSerializer},
        refusals=(400, 401, 404, 409, 429),
    )
    def patch(self, request: Request, conversation_id: UUID, username: str) -> HttpResponse:
        with changing_own_group(request, conversation_id):
            member = groups.change_role(
                actor_id=person_of(request).id,
                conversation_id=conversation_id,
                username=username,
                role=read_body(request, RoleBody)["role"],
                log=ports_of(request).log,
            )
        return bytes_response(member)

    @operation(
        "remove_member",
        "Remove a member or leave a group",
        "Owners may remove anybody, admins plain members, everybody themselves. The last owner cannot leave before the "
        "other members.",
        answers={204: None},
        refusals=(401, 404, 409, 429),
    )
    def delete(self, request: Request, conversation_id: UUID, username: str) -> Response:
        with changing_own_group(request, conversation_id):
            groups.remove_member(
                actor_id=person_of(request).id,
                conversation_id=conversation_id,
                username=username,
                log=ports_of(request).log,
            )
        return Response(status=204)


urlpatterns: list[Any] = [
    path("conversations/<uuid:conversation_id>/members", Members.as_view()),
    path("conversations/<uuid:conversation_id>/members/<str:username>", MemberByName.as_view()),
]
