"""Conversations and their members, read-only for staff: every change needs its record, which only services queue."""

from django.contrib import admin

from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.read_only_admin import ReadOnlyAdmin


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "title", "member_count", "created_at")
    list_filter = ("kind", "created_at")
    search_fields = ("=id", "title", "members__user__username")
    ordering = ("-created_at",)


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ("user", "conversation", "role", "active", "blocked_by", "version", "joined_at")
    list_filter = ("active", "role", "conversation__kind")
    list_select_related = ("user", "conversation", "blocked_by")
    search_fields = ("=conversation__id", "user__username")
    ordering = ("-joined_at",)


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("user", "conversation", "inviter", "state", "version", "created_at", "changed_at")
    list_filter = ("state", "created_at")
    list_select_related = ("user", "conversation", "inviter")
    search_fields = ("=conversation__id", "user__username", "inviter__username")
    ordering = ("-created_at",)
