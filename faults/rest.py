"""A person's REST requests to whichever gateway answers, repeated while the answer is to wait."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import httpx

_ASK_S = 6.0
_PAUSE_S = 0.3
_WAITS = {429, 500, 502, 503, 504}


class Refusal(Exception):
    """Raised for a definite refusal; its text is the status."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:200]}")
        self.status = status


class Rest:
    """All REST requests of a run. `bases` are the gateways' addresses."""

    def __init__(self, bases: Sequence[str]) -> None:
        self.bases = list(bases)
        self._http = httpx.AsyncClient(timeout=_ASK_S, trust_env=False, limits=httpx.Limits(max_connections=24))

    async def ask(
        self, method: str, path: str, *, token: str = "", body: object = None, deadline_s: float = 120.0
    ) -> Any:
        """Returns the answer's body; raises Refusal for a 4xx, TimeoutError without an answer in time."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with asyncio.timeout(deadline_s):
            while True:
                address = f"{random.choice(self.bases)}/api/v1/{path}"
                try:
                    answer = await self._http.request(method, address, headers=headers, json=body)
                except httpx.TransportError:
                    pass  # nobody answers: asked again
                else:
                    if answer.is_success:
                        return answer.json() if answer.content else None
                    if answer.status_code not in _WAITS:
                        raise Refusal(answer.status_code, answer.text)
                await asyncio.sleep(_PAUSE_S)

    async def close(self) -> None:
        await self._http.aclose()
