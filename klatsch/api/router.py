"""Everything under /api/v1, noun by noun."""

from typing import Any

from klatsch.api import auth, conversations, messages, passwords, profiles, tokens, users

urlpatterns: list[Any] = [
    *auth.urlpatterns,
    *passwords.urlpatterns,
    *profiles.urlpatterns,
    *tokens.urlpatterns,
    *users.urlpatterns,
    *conversations.urlpatterns,
    *messages.urlpatterns,
]
