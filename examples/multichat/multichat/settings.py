"""Settings of a site with two pages and no database."""

import os

SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-trying-out")
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
INSTALLED_APPS = ["channels", "channels_kafka_layer", "chat"]
ROOT_URLCONF = "multichat.urls"
ASGI_APPLICATION = "multichat.asgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ = True

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_kafka_layer.KafkaChannelLayer",
        "CONFIG": {
            "hosts": [os.environ.get("KAFKA_HOSTS", "127.0.0.1:9092")],
            "topic": os.environ.get("KAFKA_TOPIC", "multichat"),
            "create_topic": True,
        },
    }
}
