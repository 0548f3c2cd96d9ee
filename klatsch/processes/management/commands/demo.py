import http.client
import json
import os
import secrets
import time
import uuid
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from klatsch.accounts.links import LINK_MINUTES, create_sign_in_link
from klatsch.accounts.profiles import change_profile
from klatsch.accounts.queries import find_by_login
from klatsch.accounts.services import create_token, register_person
from klatsch.processes.sentences import told_in_a_sentence

_TALK: Final = (
    (0, "Hi Bob! Are you coming to the coffee round at *four*?"),
    (1, "Yes. I bring cake:\n- cheesecake\n- apple cake"),
    (0, "Perfect. I found us a table by the window 🪟"),
    (1, "See you there!"),
)
_ANSWER_S: Final = 30
_SENT_S: Final = 60
_AGAIN_S: Final = 0.5


class Command(BaseCommand):
    help = "Creates two people who have talked, and prints a link for each that signs them in once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        port = os.environ.get("KLATSCH_PORT", "8000")
        parser.add_argument("--port", type=int, default=port, help="the port on this machine that serves REST")

    def handle(self, *args: Any, **options: Any) -> None:
        run = secrets.token_hex(2)
        names = [f"ana-{run}", f"bob-{run}"]
        with told_in_a_sentence():
            people = [_make(names[0], "Ana"), _make(names[1], "Bob")]
            for writer, content in _TALK:
                token, _ = people[writer]
                _send(options["port"], token, names[1 - writer], content)
        address = settings.ENV["KLATSCH_PUBLIC_URL"].rstrip("/")
        links = [f"{address}/#/link/{link}" for _, link in people]
        self.stdout.write(
            f"\nAna and Bob have a conversation. Each link signs in once, within {LINK_MINUTES} minutes:\n\n"
            f"  Ana  {links[0]}\n"
            f"  Bob  {links[1]}   (open it in a private window)\n\n"
            f"Or send a message as Ana over REST:\n\n"
            f"  curl -H 'Authorization: Bearer {people[0][0]}' -H 'Content-Type: application/json' "
            f'-d \'{{"content": "hello"}}\' http://localhost:{options["port"]}/api/v1/users/{names[1]}/messages\n'
        )


def _make(username: str, display_name: str) -> tuple[str, str]:
    """Creates a person whose password nobody knows; returns a bearer token and the secret of a sign-in link."""
    profile = register_person(username=username, email=f"{username}@example.org", password=secrets.token_urlsafe(24))
    change_profile(person_id=profile.id, display_name=display_name)
    user = find_by_login(username)
    assert user is not None
    return create_token(person=user).token, create_sign_in_link(person=user)


def _send(port: int, token: str, receiver: str, content: str) -> None:
    """Sends a message over REST, as any client does: again under the same name while the server cannot take it now.

    Raises CommandError where that fails.
    """
    path = f"/api/v1/users/{receiver}/messages"
    body = json.dumps({"content": content, "client_id": str(uuid.uuid4())})
    until_s = time.monotonic() + _SENT_S
    while (status := _post(port, token, path, body)) == http.client.SERVICE_UNAVAILABLE and time.monotonic() < until_s:
        time.sleep(_AGAIN_S)
    if status not in {http.client.OK, http.client.CREATED, http.client.ACCEPTED}:
        raise CommandError(f"The message was answered with HTTP {status}")


def _post(port: int, token: str, path: str, body: str) -> int:
    """Returns the status of the answer; raises CommandError where there is none."""
    connection = http.client.HTTPConnection("localhost", port, timeout=_ANSWER_S)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"Nothing answers on port {port}: start Klatsch first, or give --port") from error
    finally:
        connection.close()
