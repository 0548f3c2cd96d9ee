"""Histories over REST, with the standard library alone: a request now and then, on a thread."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import quote, urlsplit

from klatsch_client.errors import NotAuthenticated, Stopped
from klatsch_client.reload import PageRequest

_TIMEOUT_S = 20.0
_PAGE_BYTES_MOST = 16 * 2**20
_PROBLEM_BYTES_MOST = 64 * 2**10
_GONE_CODES = {"forbidden", "not_a_member", "not_found"}
_GONE = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class NotNow(Exception):
    """The page could not be had; it may later, after `retry_after_s`. `is_answered` says that a server said so."""

    def __init__(self, why: str, retry_after_s: float = 0, *, is_answered: bool = False) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.is_answered = is_answered


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would take the token along to wherever a redirect leads."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Histories:
    """Pages of conversations. `api` is the address of REST, as in `https://chat.example/api/v1`."""

    def __init__(self, api: str, token: str) -> None:
        if urlsplit(api).scheme not in {"http", "https"}:
            raise ValueError(f"no address of a REST interface: {api}")
        self._api = api.rstrip("/")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirects)

    async def load_page(self, request: PageRequest) -> Mapping[str, Any] | None:
        """The page; None if there is no such history for this person. Raises NotNow, Stopped."""
        return await asyncio.to_thread(self._load, request)

    def _load(self, request: PageRequest) -> Mapping[str, Any] | None:
        address = f"{self._api}/conversations/{quote(request.conversation, safe='')}/messages?{request.query}"
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        asked = urllib.request.Request(address, headers=headers)  # noqa: S310 - the scheme was checked
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_S) as answer:
                return _read(answer)
        except urllib.error.HTTPError as error:
            with error:
                _check(error)
            return None
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise NotNow(f"{type(error).__name__}: {error}") from error


def _read(answer: IO[bytes]) -> Mapping[str, Any]:
    page: Mapping[str, Any] = json.loads(answer.read(_PAGE_BYTES_MOST))
    return page


def _check(error: urllib.error.HTTPError) -> None:
    """Returns for what is gone; raises NotNow for what may pass, Stopped for all else.

    A 404 that is none of Klatsch's says that the address is wrong: taken for gone, messages would be passed over.
    """
    if error.code in _GONE and _code(error) in _GONE_CODES:
        return
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _LATER:
        after = error.headers.get("Retry-After", "")
        raise NotNow(f"HTTP {error.code}", float(after) if after.isdecimal() else 0, is_answered=True)
    if error.code == HTTPStatus.UNAUTHORIZED:
        raise NotAuthenticated("REST does not take the token", error.code)
    raise Stopped(f"REST gives no history at {error.url}: check `api`", error.code)


def _code(error: urllib.error.HTTPError) -> object:
    """The `code` of a problem of Klatsch's; None for another's answer."""
    try:
        problem = json.loads(error.read(_PROBLEM_BYTES_MOST))
    except (OSError, HTTPException, ValueError, RecursionError):
        return None
    return problem.get("code") if isinstance(problem, dict) else None
