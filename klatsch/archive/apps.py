from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    name = "klatsch.archive"
    label = "messaging"  # the package's name when its tables and migrations were made
