"""The admin site. Staff who change their own password there end their earlier credentials, as everywhere else."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from klatsch.accounts import revocation


class StaffSite(admin.AdminSite):
    """Django's admin site, except that a new password ends the person's tokens, other sessions and sockets."""

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return revocation.ending_credentials(
            request, str(request.user.pk), lambda: super(StaffSite, self).password_change(request, extra_context)
        )
