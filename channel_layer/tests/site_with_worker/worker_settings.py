"""A Django site with nothing but a worker."""

import os

SECRET_KEY = "only-for-tests"  # noqa: S105 - signs nothing
USE_TZ = True
INSTALLED_APPS = ["channels"]
ASGI_APPLICATION = "worker_routing.application"
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_kafka_layer.KafkaChannelLayer",
        "CONFIG": {"hosts": os.environ["LAYER_HOSTS"], "topic": os.environ["LAYER_TOPIC"]},
    }
}
