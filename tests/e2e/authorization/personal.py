"""Actions on one's own affairs: any role may, and nobody without a credential.

Each row has the answer that a person gets who is signed in, with a bearer token and without a password.
"""

from typing import Final

from tests.e2e.authorization.table import Action

PERSONAL: Final = (
    (Action("read one's account", lambda _: ("GET", "me", None)), "+"),
    (Action("change one's account", lambda _: ("PATCH", "me", {"about": "Tea."})), "+"),
    (Action("deactivate", lambda _: ("POST", "me/deactivate", {"password": "wrong"})), "bad_request"),
    (Action("list sessions", lambda _: ("GET", "auth/sessions", None)), "+"),
    (Action("end a session", lambda _: ("DELETE", "auth/sessions/another", None)), "not_found"),
    (Action("list tokens", lambda _: ("GET", "auth/tokens", None)), "+"),
    (Action("end a token", lambda _: ("DELETE", "auth/tokens/another", None)), "not_found"),
    (Action("take a ticket", lambda _: ("POST", "auth/ticket", None)), "+"),
    (
        Action(
            "change the password",
            lambda _: ("POST", "auth/password", {"old_password": "wrong", "new_password": "coffee and cake"}),
        ),
        "bad_request",
    ),
    (Action("find people", lambda s: ("GET", f"users?search={s.names['mia']}", None)), "+"),
    (Action("look at a person", lambda s: ("GET", f"users/{s.names['mia']}", None)), "+"),
    (Action("list conversations", lambda _: ("GET", "conversations", None)), "+"),
    (Action("make a group", lambda _: ("POST", "conversations", {"title": "Mine", "members": []})), "+"),
    (Action("read all messages", lambda _: ("GET", "messages", None)), "+"),
    (Action("read mentions", lambda _: ("GET", "mentions", None)), "+"),
    (Action("search messages", lambda _: ("GET", "search?q=theirs", None)), "+"),
    (Action("list invitations", lambda _: ("GET", "invitations", None)), "+"),
    (Action("block", lambda s: ("PUT", f"blocks/{s.names['mia']}", None)), "+"),
    (Action("list blocks", lambda _: ("GET", "blocks", None)), "+"),
    (Action("unblock", lambda s: ("DELETE", f"blocks/{s.names['mia']}", None)), "+"),
    (Action("show presence", socket=lambda s: ("presence", {"users": [s.names["owner"]]})), "+"),
    (Action("poll", lambda _: ("GET", "sync", None)), "+"),
    (Action("log out", lambda _: ("POST", "auth/logout", None)), "+"),
)
OPEN: Final = {
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/link",
    "POST /api/v1/auth/tokens",
    "POST /api/v1/auth/password/reset",
    "POST /api/v1/auth/password/reset/confirm",
    "POST /api/v1/auth/email/confirm",
}
"""Actions that need no credential: they prove themselves with a password or a link."""
