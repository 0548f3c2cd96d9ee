"""Somebody's REST client, on the port of a gateway."""

import asyncio
from typing import Any

import httpx

from tests.support.process import GatewayProcess
from tests.support.system import Person

_DEADLINE_S = 60.0
_AGAIN_S = 0.05


class Rest:
    """Makes requests under /api/v1 with a bearer token."""

    def __init__(self, gateway: GatewayProcess, person: Person) -> None:
        self.http = httpx.AsyncClient(
            base_url=f"{gateway.url}/api/v1/",
            headers={"Authorization": f"Bearer {person.token}"},
            timeout=_DEADLINE_S,
            trust_env=False,
        )

    async def send(self, username: str, content: str, **more: str) -> dict[str, Any]:
        """Writes to a person; the message as it is answered."""
        return await self.send_to(f"users/{username}", content, **more)

    async def send_to(self, place: str, content: str, **more: str) -> dict[str, Any]:
        """Writes to a person or a conversation. On a busy machine, the answer may come before it is archived."""
        return await self._post(f"{place}/messages", {"content": content, **more}, {201, 202})

    async def post(self, path: str, body: object, status: int = 201) -> dict[str, Any]:
        """Posts it, and returns what is answered."""
        return await self._post(path, body, {status})

    async def _post(self, path: str, body: object, statuses: set[int]) -> dict[str, Any]:
        answer = await self.http.post(path, json=body)
        assert answer.status_code in statuses, f"{answer.status_code}: {answer.text}"
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        answer = await self.http.get(path, params=query or None)
        assert answer.status_code == httpx.codes.OK, f"{answer.status_code}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    async def until_answered(self, path: str, deadline_s: float) -> None:
        """Asks again as long as the answer is 503."""
        async with asyncio.timeout(deadline_s):
            while (await self.http.get(path)).status_code == 503:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(_AGAIN_S)

    async def close(self) -> None:
        await self.http.aclose()

    async def history(self, path: str) -> list[dict[str, Any]]:
        """Returns all of a history, page after page, oldest first."""
        page = await self.get(path, limit=100)
        newest_first: list[dict[str, Any]] = page["results"]
        while page["next"]:
            page = await self.get(page["next"])
            newest_first += page["results"]
        return newest_first[::-1]
