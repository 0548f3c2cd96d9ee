"""Conversations over REST: list, create, change and delete them."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.api.authentication import person_of
from klatsch.api.bodies import BoundedList, TextField, read_body, read_query
from klatsch.api.histories import HistoryQuery, bytes_response, page_of_bytes, wait_for_archive
from klatsch.api.markers import OwnMarkersSerializer
from klatsch.api.members import MemberBody, MemberSerializer, changing_groups, changing_own_group
from klatsch.api.members import urlpatterns as member_patterns
from klatsch.api.message_shapes import MessageSerializer
from klatsch.api.pages import cut, read_window
from klatsch.api.ports import ports_of
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.archive.overview import (
    MEMBERS_SHOWN,
    MORE_UNREAD,
    UNREAD_MOST,
    ConversationView,
    get_conversation,
    list_conversations,
)
from klatsch.conversations import groups
from klatsch.conversations.group_rows import MEMBERS_MOST
from klatsch.conversations.invitation_queries import list_invited
from klatsch.conversations.rights import DESCRIPTION_MOST, TITLE_MOST
from klatsch.core.text import LINE, TEXT_OR_NOTHING
from klatsch.messaging.acquaintances import find_addable


@extend_schema_field({"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "const": MORE_UNREAD}]})
class UnreadField(serializers.Field[Any, Any, Any, Any]):
    """A number, or that there are more than are counted."""


class ConversationSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(("direct", "group"))
    title = serializers.CharField(help_text="Empty for a direct conversation.")
    description = serializers.CharField(help_text="Text of one or more lines. Empty for a direct conversation.")
    version = serializers.IntegerField(
        help_text="Grows with every change of a group. A push of a lower `version` has an outdated title, description "
        "and `member_count`."
    )
    updated_at = serializers.DateTimeField(help_text="Time of the last message.")
    member_count = serializers.IntegerField()
    members = MemberSerializer(many=True, help_text=f"The first {MEMBERS_SHOWN} members. `…/members` lists all.")
    last_message = MessageSerializer(allow_null=True)
    muted_until = serializers.DateTimeField(
        allow_null=True, help_text="The end of your mute; null if you have not muted the conversation."
    )
    pinned = serializers.ListField(
        child=serializers.UUIDField(), help_text="The ids of the pinned messages, the newest pin first."
    )
    unread = UnreadField(
        help_text=f"Messages of others after your marker that are not deleted; `{MORE_UNREAD}` beyond {UNREAD_MOST}."
    )
    mentions = serializers.IntegerField(help_text=f"Of these, the ones that mention you, up to {UNREAD_MOST}.")
    markers = OwnMarkersSerializer(help_text="Your own markers.")
    unread_from = serializers.CharField(allow_null=True, help_text="You have marked it as unread from this position.")


@extend_schema_field({"type": "string", "maxLength": TITLE_MOST, "pattern": LINE})
class Title(TextField):
    """A group's title."""


@extend_schema_field({"type": "string", "maxLength": DESCRIPTION_MOST, "pattern": TEXT_OR_NOTHING})
class Description(TextField):
    """A group's description."""


_TITLE = "One line of 1 to 200 characters. Only owners may change it."
_DESCRIPTION = "Text of one or more lines, of at most 500 characters, or nothing. Owners and admins may change it."


class GroupChangeSerializer(serializers.Serializer[Any]):
    title = Title(required=False, help_text=_TITLE)
    description = Description(required=False, allow_blank=True, help_text=_DESCRIPTION)


class NewGroupSerializer(ConversationSerializer):
    invited = serializers.ListField(
        child=serializers.CharField(),
        help_text="Usernames of the people who were invited instead of added, as they have never written to you.",
    )


class GroupBody(serializers.Serializer[Any]):
    title = Title(help_text=_TITLE)
    description = Description(default="", allow_null=True, allow_blank=True, help_text=_DESCRIPTION)
    members = BoundedList(
        child=TextField(),
        max_length=MEMBERS_MOST - 1,
        default=list,
        help_text="Usernames of the other members.",
    )


class ActivityKey(NamedTuple):
    updated_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: UUID

    @classmethod
    def of(cls, view: ConversationView) -> "ActivityKey":
        return cls(datetime.fromisoformat(view.updated_at), UUID(view.id))


class Conversations(APIView):
    @operation(
        "list_conversations",
        "List your conversations",
        "Returns your conversations with their last message, newest first by (`updated_at`, `id`).",
        parameters=(HistoryQuery, NEIGHBOURS),
        answers={200: paged(ConversationSerializer, "ConversationPage")},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> HttpResponse:
        query = read_query(request, HistoryQuery)
        window = read_window(query, ActivityKey)
        wait_for_archive(request, query)
        views = list_conversations(
            user_id=person_of(request).id, limit=window.fetch, after=window.after, before=window.before
        )
        return page_of_bytes(request, cut(views, window, ActivityKey.of))

    @operation(
        "create_group",
        "Create a group",
        "Creates a group that you own. Members who have never sent you a direct message are invited instead of added; "
        "`invited` names them. A direct conversation begins with its first message instead.",
        request=GroupBody,
        answers={201: NewGroupSerializer},
        refusals=(400, 401, 404, 409, 429),
    )
    def post(self, request: Request) -> HttpResponse:
        body = read_body(request, GroupBody)
        person = person_of(request)
        with changing_groups(request, len(body["members"])):
            group_id = groups.create_group(
                owner=person,
                title=body["title"],
                description=body["description"],
                usernames=body["members"],
                log=ports_of(request).log,
                acquaintances=find_addable,
            )
        view = get_conversation(user_id=person.id, conversation_id=group_id)
        made = msgspec.structs.asdict(view) | {"invited": list_invited(group_id)}
        return bytes_response(made, 201, {"Location": f"{request.path}/{group_id}"})


class ConversationById(APIView):
    @operation(
        "get_conversation",
        "Get a conversation",
        "Returns the conversation with its last message.",
        answers={200: ConversationSerializer},
        refusals=(401, 404),
    )
    def get(self, request: Request, conversation_id: UUID) -> HttpResponse:
        return bytes_response(get_conversation(user_id=person_of(request).id, conversation_id=conversation_id))

    @operation(
        "update_group",
        "Change a group",
        "Changes the group's title (for owners), its description (for owners and admins), or both. What the body does "
        "not name stays as it is.",
        request=GroupChangeSerializer,
        answers={200: ConversationSerializer},
        refusals=(400, 401, 404, 429),
    )
    def patch(self, request: Request, conversation_id: UUID) -> HttpResponse:
        with changing_own_group(request, conversation_id):
            change = read_body(request, GroupChangeSerializer)
            groups.update_group(
                actor_id=person_of(request).id,
                conversation_id=conversation_id,
                title=change.get("title"),
                description=change.get("description"),
                log=ports_of(request).log,
            )
        return self.get(request, conversation_id)

    @operation(
        "dissolve_group",
        "Delete a group",
        "Removes all members and withdraws all invitations. Only owners may. To leave the group, remove yourself "
        "from its members instead.",
        answers={204: None},
        refusals=(401, 404, 429),
    )
    def delete(self, request: Request, conversation_id: UUID) -> Response:
        with changing_own_group(request, conversation_id):
            groups.dissolve_group(
                actor_id=person_of(request).id, conversation_id=conversation_id, log=ports_of(request).log
            )
        return Response(status=204)


class GroupTransfer(APIView):
    @operation(
        "transfer_group",
        "Transfer a group",
        "Makes a member an owner and yourself an admin, in one step. Only owners may.",
        request=MemberBody,
        answers={200: ConversationSerializer},
        refusals=(400, 401, 404, 429),
    )
    def post(self, request: Request, conversation_id: UUID) -> HttpResponse:
        person_id = person_of(request).id
        with changing_own_group(request, conversation_id):
            groups.transfer_group(
                actor_id=person_id,
                conversation_id=conversation_id,
                username=read_body(request, MemberBody)["username"],
                log=ports_of(request).log,
            )
        return bytes_response(get_conversation(user_id=person_id, conversation_id=conversation_id))


urlpatterns: list[Any] = [
    path("conversations", Conversations.as_view()),
    path("conversations/<uuid:conversation_id>", ConversationById.as_view()),
    path("conversations/<uuid:conversation_id>/transfer", GroupTransfer.as_view()),
    *member_patterns,
]
