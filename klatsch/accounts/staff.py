"""The admin's site: whoever changes their own password there ends what they had before, as everywhere else."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from klatsch.accounts import revocation


class StaffSite(admin.AdminSite):
    """Django's; but after another password no token, no other session and no socket of that person is left."""

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return revocation.ending_credentials(
            request, str(request.user.pk), lambda: super(StaffSite, self).password_change(request, extra_context)
        )
