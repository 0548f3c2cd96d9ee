"""Everything under /api/v1, noun by noun."""

from typing import Any

from klatsch.api import auth, users

urlpatterns: list[Any] = [
    *auth.urlpatterns,
    *users.urlpatterns,
]
