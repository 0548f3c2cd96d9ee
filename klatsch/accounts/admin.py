"""People and their bearer tokens, for staff. The admin neither deletes nor renames people: messages carry usernames."""

from typing import Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db import transaction
from django.db.models import BooleanField, QuerySet
from django.http import HttpRequest, HttpResponse
from knox.models import AuthToken

from klatsch.accounts import revocation
from klatsch.accounts.models import User
from klatsch.accounts.person_lock import lock_person

_MANY_TO_MANY: Final = {"groups", "user_permissions"}


class PersonCreationForm(AdminUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("username", "email")


class PersonChangeForm(UserChangeForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta(UserChangeForm.Meta):
        model = User


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Shows people to staff. Staff deactivate a person; deleting is not offered."""

    form = PersonChangeForm
    add_form = PersonCreationForm
    list_display = ("username", "email", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "awaits_email", "is_staff", "is_superuser", "date_joined")
    search_fields = ("username", "email")
    readonly_fields = ("last_login", "date_joined", "suspended_at")
    # The page tells what it showed: a suspension since then is no change by the staff.
    formfield_overrides: ClassVar = {BooleanField: {"show_hidden_initial": True}}
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        ("Profile", {"fields": ("display_name", "about")}),
        ("Rights", {"fields": ("is_active", "awaits_email", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined", "suspended_at")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("username", "email", "usable_password", "password1", "password2")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if obj is None else ("username", *fields)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        with transaction.atomic():
            lock_person(obj.pk)
            # Saves only the fields that the form changed. Other fields were read before the lock, and the password may
            # be new.
            changed = set(form.changed_data) - _MANY_TO_MANY
            if "is_active" in changed and "awaits_email" not in changed:
                obj.awaits_email = False  # the staff have decided: no link in an e-mail decides otherwise
                changed.add("awaits_email")
            if obj.is_active and "is_active" in changed:
                obj.suspended_at = None
                changed.add("suspended_at")
            obj.save(update_fields=changed)
            if "is_active" in changed and not obj.is_active:
                revocation.promise_deactivated(obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Ends the person's earlier credentials. Staff who change their own password continue in a new session."""
        return revocation.ending_credentials(
            request, unquote(id), lambda: super(PersonAdmin, self).user_change_password(request, id, form_url)
        )


admin.site.unregister(AuthToken)


@admin.register(AuthToken)
class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Lists and ends bearer tokens. knox's own admin shows their digests, creates tokens and prints them."""

    list_display = ("token_key", "user", "created", "expiry")
    search_fields = ("token_key", "user__username")
    fields = ("token_key", "user", "created", "expiry")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: AuthToken) -> None:
        revocation.end_tokens(AuthToken.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[AuthToken]") -> None:
        revocation.end_tokens(queryset)
