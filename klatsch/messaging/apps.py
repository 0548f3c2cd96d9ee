from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "klatsch.messaging"
