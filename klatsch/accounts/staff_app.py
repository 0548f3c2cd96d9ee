"""Django's admin with our site, `klatsch.accounts.staff`; apart from `apps.py`, where it would be a second default."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default_site = "klatsch.accounts.staff.StaffSite"
