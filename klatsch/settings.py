"""Django's settings, derived from `klatsch.env`. No other module reads the environment."""

from datetime import timedelta
from pathlib import Path

from klatsch import env
from klatsch.core.http_limits import BODY_BYTES_MOST
from klatsch.core.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = env.from_process(BASE_DIR)

SECRET_KEY = ENV["KLATSCH_SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ENV["KLATSCH_ALLOWED_HOSTS"]
ROOT_URLCONF = "klatsch.urls"
WSGI_APPLICATION = "klatsch.wsgi.application"
# CHANNEL_LAYERS is not set, on purpose: docs/decisions/0002-no-channel-layer.md.

INSTALLED_APPS = [
    "klatsch.processes",  # before Django's, so that its `changepassword` wins
    "klatsch.accounts.staff_app.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "klatsch.eventlog",
    "klatsch.accounts",
    "klatsch.conversations",
    "klatsch.archive",
    "klatsch.persister",
    "klatsch.moderation",
    "klatsch.web",
]

MIDDLEWARE = [
    "klatsch.api.requests.RequestIds",
    "klatsch.api.cors.Cors",
    "django.middleware.security.SecurityMiddleware",
    "klatsch.api.probes.Probes",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "klatsch.api.hashing.HashingDoor",
    "klatsch.accounts.session_cookies.SessionCookies",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "klatsch.api.requests.RelayPromises",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "klatsch" / "api" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

_DATABASE = env.database(ENV["DATABASE_URL"])
DATABASES = {
    "default": {
        **_DATABASE,
        "ENGINE": "klatsch.postgres",
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            **_DATABASE.get("OPTIONS", {}),
            # An answering thread needs one connection; `klatsch.postgres` bounds its wait for it.
            "pool": {"min_size": 1, "max_size": ENV["KLATSCH_API_THREADS"] + 8},
            "connect_timeout": 5,
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["klatsch.accounts.backends.UsernameOrEmailBackend"]
# BCryptSHA256 first, Argon2 accepted. Both hash the normalized password, and a bounded number at once.
PASSWORD_HASHERS = [
    "klatsch.accounts.hashing.BCryptSHA256PasswordHasher",
    "klatsch.accounts.hashing.Argon2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "klatsch.accounts.password_form.InOneForm",
        "OPTIONS": {"validator": f"django.contrib.auth.password_validation.{name}"},
    }
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

vars().update(env.email(ENV["EMAIL_URL"]))
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV["KLATSCH_MAIL_FROM"]
EMAIL_TIMEOUT = 10
PASSWORD_RESET_TIMEOUT = ENV["KLATSCH_LINK_MINUTES"] * 60

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "klatsch.api.authentication.TokenAuthentication",
        "klatsch.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["klatsch.api.rates.RequestRate"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["klatsch.api.bodies.JSONBody"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "klatsch.api.errors.problem_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
KNOX_TOKEN_MODEL = "knox.AuthToken"  # noqa: S105 - a model's name
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": timedelta(days=ENV["KLATSCH_TOKEN_DAYS"]),
    "AUTO_REFRESH": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Klatsch",
    "DESCRIPTION": "Chat over REST. For live messages over WebSocket, see `/api/async-docs`.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # The page's own CSRF token goes stale when the user signs in on the page; the cookie does not.
    "SWAGGER_UI_SETTINGS": """{
        deepLinking: true,
        requestInterceptor: (request) => {
            const token = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
            if (token && request.method !== "GET") request.headers["X-CSRFToken"] = token[1];
            return request;
        },
    }""",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "klatsch.api.schema.join_blank",
        "klatsch.api.sync_schema.add_sync",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "TAGS": [
        {"name": "auth", "description": "Accounts and passwords, sign-in and sign-out, tokens and tickets."},
        {"name": "me", "description": "Your account and your sessions."},
        {"name": "users", "description": "Other people, and direct messages with them."},
        {"name": "conversations", "description": "Conversations, their members and their messages."},
        {"name": "messages", "description": "All your messages."},
        {"name": "mentions", "description": "Messages that mention you."},
        {"name": "search", "description": "Messages with given words."},
        {"name": "invitations", "description": "Invitations to groups."},
        {"name": "blocks", "description": "People whom you have blocked."},
        {"name": "sync", "description": "Live pushes without a WebSocket."},
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,  # a PATCH body's required fields stay required
}

# Served from the packages and from clients/js, under one URL. Nothing is collected, so there is no STATIC_ROOT
# (WhiteNoise warns of a missing one).
STATIC_URL = "static/"
STATICFILES_DIRS = [("klatsch", BASE_DIR / "clients" / "js" / "src")]
WHITENOISE_USE_FINDERS = True

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
APPEND_SLASH = False

SESSION_ENGINE = "klatsch.accounts.sessions"
PLAIN_HTTP = ENV["KLATSCH_INSECURE_COOKIES"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not PLAIN_HTTP
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = ENV["KLATSCH_ORIGINS"]
CSRF_FAILURE_VIEW = "klatsch.api.errors.csrf_failed"
SECURE_SSL_REDIRECT = not PLAIN_HTTP
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 0 if PLAIN_HTTP else 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not PLAIN_HTTP
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV["KLATSCH_PROXY_TLS"] else None
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = BODY_BYTES_MOST

LOGGING_CONFIG = None
LOGGING = logging_config(level=ENV["KLATSCH_LOG_LEVEL"], style=ENV["KLATSCH_LOG_FORMAT"])
