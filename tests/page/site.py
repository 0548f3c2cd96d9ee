"""A Klatsch under one origin, as `make up` serves it: the page, REST and WebSockets from one gateway."""

import email
import email.policy
import re
import secrets
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tests.support.process import GatewayProcess, PersisterProcess, wait_until
from tests.support.system import System

_TIMEOUT_S = 60
_AGAIN_S = 0.5
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""Sessions are named by the browser that opened them."""


class Member(NamedTuple):
    """Somebody who can sign in, and is signed in by the cookies of `rest`, which asks in their name."""

    username: str
    password: str
    origin: str
    rest: httpx.Client

    @property
    def email(self) -> str:
        return f"{self.username}@page.example"

    def ask(self, method: str, path: str, json: Any = None) -> Any:
        """Makes a request below /api/v1, and returns the body of its answer; fails where it is refused.

        A busy server is asked again where that can do no harm: it has done nothing, or the body names what is sent.
        """
        headers = {"X-CSRFToken": self.rest.cookies.get("csrftoken") or "", "Origin": self.origin}
        again = {"unavailable", "not_archived_yet"} | ({"unknown"} if json and "client_id" in json else set())
        until_s = time.monotonic() + _TIMEOUT_S
        while True:
            answer = self.rest.request(method, path, json=json, headers=headers)
            if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > until_s:
                break
            if answer.json()["code"] not in again:
                break
            time.sleep(_AGAIN_S)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


class Site:
    """The processes, and what a person outside the browser does with them."""

    def __init__(self, system: System, gateway: GatewayProcess, persister: PersisterProcess) -> None:
        self.system = system
        self.gateway = gateway
        self.persister = persister
        self.origin = f"http://localhost:{gateway.port}"
        self._letters = system.folder / "letters"
        self._clients: list[httpx.Client] = []
        system.env.update(
            {
                "KLATSCH_ORIGINS": self.origin,
                "KLATSCH_PUBLIC_URL": self.origin,
                "KLATSCH_INVITE_STRANGERS": "1",
                "KLATSCH_REGISTRATIONS_PER_HOUR": "100000",
                "KLATSCH_SIGN_IN_FAILURES_ADDRESS": "100000",
                "EMAIL_URL": f"filemail:///{self._letters}",
            }
        )

    def start(self) -> None:
        """Returns when all processes are ready."""
        for process in (self.gateway, self.persister):
            if not process.is_running():
                process.start()

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def register(self, name: str | None = None, password: str | None = None) -> Member:
        """Makes a person who is signed in."""
        username = name or f"dora-{secrets.token_hex(4)}"
        password = password or secrets.token_urlsafe(12)
        rest = httpx.Client(base_url=f"{self.origin}/api/v1/", trust_env=False, timeout=_TIMEOUT_S)
        rest.headers["User-Agent"] = _BROWSER
        self._clients.append(rest)
        member = Member(username, password, self.origin, rest)
        body = {"username": username, "password": password}
        member.ask("POST", "auth/register", {**body, "email": member.email})
        member.ask("POST", "auth/login", body)
        return member

    def talk(self, one: Member, other: Member, count: int = 2) -> str:
        """Writes `count` messages between two people in turns; returns their conversation's id."""
        sent: dict[str, Any] = {}
        for number in range(count):
            writer, reader = (one, other) if number % 2 == 0 else (other, one)
            sent = writer.ask("POST", f"users/{reader.username}/messages", {"content": f"message {number}"})
        return str(sent["conversation"])

    def letter_to(self, address: str, page: str) -> str:
        """Waits for an e-mail to that address with a link to that page, and returns the link."""
        found: list[str] = []

        def look() -> bool:
            letters = sorted(self._letters.glob("*")) if self._letters.exists() else []
            found[:] = [link for letter in letters for link in _links(letter, address) if f"/{page}#" in link]
            return bool(found)

        wait_until(look, f"a letter to {address}")
        return found[-1]


def _links(file: Path, address: str) -> list[str]:
    letter = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    if address not in str(letter["To"]):
        return []
    return re.findall(r"http\S+", str(letter.get_body().get_content()))  # type: ignore[union-attr]  # it has a body
