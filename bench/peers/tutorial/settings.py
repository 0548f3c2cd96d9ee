"""The tutorial's settings: channels_redis, PostgreSQL, and nothing that a chat does not need."""

import os
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_DATABASE = urlsplit(os.environ["TUTORIAL_DATABASE_URL"])

SECRET_KEY = "only-for-this-run"  # noqa: S105 - protects nothing
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["channels", "bench.peers.tutorial.chat"]
ASGI_APPLICATION = "bench.peers.tutorial.asgi.application"
USE_TZ = True
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _DATABASE.path.lstrip("/"),
        "USER": unquote(_DATABASE.username or ""),
        "PASSWORD": unquote(_DATABASE.password or ""),
        "HOST": _DATABASE.hostname or parse_qs(_DATABASE.query).get("host", [""])[0],
        "PORT": _DATABASE.port or "",
        "CONN_MAX_AGE": None,
    }
}
# The default capacity of 100 loses messages of these windows: with more, every message that is sent is delivered.
CAPACITY = 10_000
CHANNEL_LAYERS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ["TUTORIAL_REDIS_URL"]], "capacity": CAPACITY},
    }
}
