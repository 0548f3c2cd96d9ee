from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    name = "klatsch.archive"
    label = "messaging"  # the package's former name, which tables and migrations carry
