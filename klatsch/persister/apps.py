from django.apps import AppConfig


class PersisterConfig(AppConfig):
    name = "klatsch.persister"
