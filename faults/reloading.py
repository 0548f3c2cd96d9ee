"""Reloads the histories that a reset named."""

import asyncio
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from faults.folding import state_of
from faults.history import Entry, History, Loaded, Token, hash_of, place
from faults.person import Person
from faults.rest import Refusal, Rest
from faults.view import View

_PAGE = 100


class Reloading:
    """Loads one conversation after the other. `presented` is the token of the present connection: older is known."""

    def __init__(self, person: Person, written: History, rest: Rest, view: View) -> None:
        self.presented: Token | None = None
        self.partitions: dict[str, int] = {}
        self._person = person
        self._history = written
        self._rest = rest
        self._view = view
        self._wanted: dict[str, tuple[int, str]] = {}
        self._news = asyncio.Event()

    @property
    def is_done(self) -> bool:
        return not self._wanted

    def want(self, conversations: list[str], at_least: str) -> None:
        for conversation in conversations:
            since = 0
            if self.presented is not None and conversation in self.partitions:
                since = self.presented.offsets[self.partitions[conversation]]
            known = self._wanted.get(conversation)
            self._wanted[conversation] = (since if known is None else min(since, known[0]), at_least)
        self._news.set()

    async def run(self) -> None:
        """Reloads for as long as the run continues."""
        while True:
            await self._news.wait()
            self._news.clear()
            for conversation, (since, at_least) in list(self._wanted.items()):
                if await self._load(conversation, since, at_least) and self._wanted[conversation] == (since, at_least):
                    del self._wanted[conversation]
                else:
                    self._news.set()

    async def _load(self, conversation: str, since: int, at_least: str) -> bool:
        """Returns whether the history was loaded, or is no longer this person's."""
        try:
            await self.load(conversation, since, at_least)
        except Refusal as refusal:
            if refusal.status == 404:  # noqa: PLR2004 - removed
                return True
            await asyncio.sleep(0.5)  # signed out, for now
            return False
        except TimeoutError:
            return False
        return True

    async def load(self, conversation: str, since: int, at_least: str) -> None:
        """Loads a history in pages, newest first, until known messages begin."""
        entries: list[Entry] = []
        messages: list[dict[str, Any]] = []
        path = f"conversations/{conversation}/messages"
        query: str | None = urlencode({"limit": _PAGE, "at_least": at_least})
        while query is not None:
            page = await self._rest.ask("GET", f"{path}?{query}", token=self._person.token)
            messages += page["results"]
            found = [
                Entry(
                    m["position"], m["id"], hash_of(m["content"]), m["seq"], m["changed"], state_of(m).text(),
                    m["sender"],
                )
                for m in page["results"]
            ]  # fmt: skip
            entries += [entry for entry in found if place(entry.position)[2] >= since]
            query = page["next"] and urlsplit(page["next"]).query  # of whichever gateway answers the next one
            if not found or place(found[-1].position)[2] < since:
                break
        self._view.load(conversation, messages)
        self._history.write(Loaded(time.monotonic(), conversation, at_least, since, entries[::-1]))
