"""Conversations and their members, read-only for staff: every change needs its record, which only services queue."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest

from klatsch.conversations.models import Conversation, Member
from klatsch.read_only_admin import ReadOnlyAdmin


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "title", "member_count", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("=id", "title", "members__user__username")
    ordering = ("-created_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        active = Count("members", filter=Q(members__active=True))
        return super().get_queryset(request).annotate(active_members=active)  # type: ignore[no-any-return]  # its stub is generic

    @admin.display(description="members", ordering="active_members")
    def member_count(self, conversation: Any) -> int:
        count: int = conversation.active_members
        return count


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ("user", "conversation", "role", "active", "blocked_by", "version", "joined_at")
    list_filter = ("active", "role", "conversation__kind")
    list_select_related = ("user", "conversation", "blocked_by")
    search_fields = ("=conversation__id", "user__username")
    ordering = ("-joined_at",)
