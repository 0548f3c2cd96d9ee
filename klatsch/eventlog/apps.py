from django.apps import AppConfig


class EventLogConfig(AppConfig):
    name = "klatsch.eventlog"
    verbose_name = "Log"
