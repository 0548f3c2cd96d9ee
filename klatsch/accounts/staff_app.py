"""Django's admin with the site of `klatsch.accounts.staff`. In `apps.py` it would be a second default app config."""

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    default_site = "klatsch.accounts.staff.StaffSite"
