"""Invitations to groups over REST: list and send them, accept, decline and withdraw them."""

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
from klatsch.api.bodies import IdField, TextField, read_body, read_query
from klatsch.api.histories import bytes_response, page_of_bytes
from klatsch.api.members import InvitationSerializer, changing_groups
from klatsch.api.pages import PageQuery, cut, read_window
from klatsch.api.ports import ports_of
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.conversations.invitation_queries import count_told, list_of_group, list_received
from klatsch.conversations.invitations import (
    accept_invitation,
    decline_invitation,
    invite_person,
    withdraw_invitation,
)
from klatsch.records.invitations import Invitation

_ONE = 1
"""The people who are told of an invitation that does not add anybody."""
_PAGE = paged(InvitationSerializer, "InvitationPage")


class InvitationBody(serializers.Serializer[Any]):
    conversation = IdField(help_text="The group's id.")
    username = TextField(help_text="The username of the person to invite.")


class InvitationKey(NamedTuple):
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID

    @classmethod
    def of(cls, invitation: Invitation) -> "InvitationKey":
        return cls(datetime.fromisoformat(invitation.created_at), UUID(invitation.id))


class Invitations(APIView):
    @operation(
        "list_invitations",
        "List your invitations",
        "Returns the open invitations to groups that you have received, newest first. Those from people whom you have "
        "blocked are left out.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: _PAGE},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> HttpResponse:
        window = read_window(read_query(request, PageQuery), InvitationKey)
        invitations = list_received(
            user_id=person_of(request).id, limit=window.fetch, after=window.after, before=window.before
        )
        return page_of_bytes(request, cut(invitations, window, InvitationKey.of))

    @operation(
        "invite_user",
        "Invite a person",
        "Invites a person to a group, even one whom you could add. Owners and admins may. If the person has an open "
        "invitation to the group already, the answer is that one.",
        request=InvitationBody,
        answers={201: InvitationSerializer},
        refusals=(400, 401, 404, 409, 429),
    )
    def post(self, request: Request) -> HttpResponse:
        with changing_groups(request, _ONE):
            body = read_body(request, InvitationBody)
            invitation = invite_person(
                actor_id=person_of(request).id, conversation_id=body["conversation"], username=body["username"]
            )
        return bytes_response(invitation, 201)


class InvitationById(APIView):
    @operation(
        "withdraw_invitation",
        "Withdraw an invitation",
        "Withdraws an invitation that you have sent. Owners and admins may withdraw any invitation to their group. "
        "Repeating this is harmless.",
        answers={204: None},
        refusals=(401, 404, 409, 429),
    )
    def delete(self, request: Request, invitation_id: UUID) -> Response:
        with changing_groups(request, _ONE):
            withdraw_invitation(actor_id=person_of(request).id, invitation_id=invitation_id)
        return Response(status=204)


class InvitationAcceptance(APIView):
    @operation(
        "accept_invitation",
        "Accept an invitation",
        "Makes you a member of the group. Repeating this is harmless.",
        answers={200: InvitationSerializer},
        refusals=(401, 404, 409, 410, 429),
    )
    def post(self, request: Request, invitation_id: UUID) -> HttpResponse:
        person = person_of(request)
        with changing_groups(request, count_told(user_id=person.id, invitation_id=invitation_id)):
            invitation = accept_invitation(person=person, invitation_id=invitation_id, log=ports_of(request).log)
        return bytes_response(invitation)


class InvitationRefusal(APIView):
    @operation(
        "decline_invitation",
        "Decline an invitation",
        "For 30 days nobody can invite you to this group again. Repeating this is harmless.",
        answers={200: InvitationSerializer},
        refusals=(401, 404, 409, 410, 429),
    )
    def post(self, request: Request, invitation_id: UUID) -> HttpResponse:
        with changing_groups(request, _ONE):
            invitation = decline_invitation(person_id=person_of(request).id, invitation_id=invitation_id)
        return bytes_response(invitation)


class GroupInvitations(APIView):
    @operation(
        "list_group_invitations",
        "List a group's invitations",
        "Returns the open invitations to a group, newest first. Owners and admins may see them.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: _PAGE},
        refusals=(400, 401, 403, 404),
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        window = read_window(read_query(request, PageQuery), InvitationKey)
        invitations = list_of_group(
            actor_id=person_of(request).id,
            conversation_id=conversation_id,
            limit=window.fetch,
            after=window.after,
            before=window.before,
        )
        return page_of_bytes(request, cut(invitations, window, InvitationKey.of))


urlpatterns: list[Any] = [
    path("invitations", Invitations.as_view()),
    path("invitations/<uuid:invitation_id>", InvitationById.as_view()),
    path("invitations/<uuid:invitation_id>/accept", InvitationAcceptance.as_view()),
    path("invitations/<uuid:invitation_id>/decline", InvitationRefusal.as_view()),
    path("conversations/<uuid:conversation_id>/invitations", GroupInvitations.as_view()),
]
