"""People and their bearer tokens, for staff. Nobody is deleted or renamed here: messages carry the name."""

from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db import transaction
from django.db.models import QuerySet
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
    """Deactivating is what there is in place of deleting."""

    form = PersonChangeForm
    add_form = PersonCreationForm
    list_display = ("username", "email", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_active", "awaits_email", "is_staff", "is_superuser", "date_joined")
    search_fields = ("username", "email")
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "email", "password")}),
        ("Profile", {"fields": ("display_name", "about")}),
        ("Rights", {"fields": ("is_active", "awaits_email", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
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
            # What the form changed alone: the rest was read before the lock, and the password may be another by now.
            obj.save(update_fields=set(form.changed_data) - _MANY_TO_MANY)
            if "is_active" in form.changed_data and not obj.is_active:
                revocation.promise_deactivated(obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's name
        """Another password ends what was there before it; the session of staff who change their own is a new one."""
        return revocation.ending_credentials(
            request, unquote(id), lambda: super(PersonAdmin, self).user_change_password(request, id, form_url)
        )


admin.site.unregister(AuthToken)


@admin.register(AuthToken)
class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Tokens can be seen and ended. knox's own admin shows their digests, and makes tokens and prints them."""

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
