"""Requests over REST, with the standard library alone: one now and then, on a thread."""

import asyncio
import json
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit

from klatsch_client.errors import NotAuthenticated, Refused, Stopped, Unavailable, refusal

_TIMEOUT_S = 20.0
_ANSWER_BYTES_MOST = 16 * 2**20
_PROBLEM_BYTES_MOST = 64 * 2**10
_LATER = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would take the token along to wherever a redirect leads."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


class Rest:
    """Reads from `api`, the address of REST, as in `https://chat.example/api/v1`."""

    def __init__(self, api: str, token: str) -> None:
        if urlsplit(api).scheme not in {"http", "https"}:
            raise ValueError(f"no address of a REST interface: {api}")
        self._api = api.rstrip("/")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirects)

    async def get(self, path: str) -> Any:
        """Returns what is at a path; raises Refused, Unavailable, Stopped."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        asked = urllib.request.Request(f"{self._api}/{path}", headers=headers)  # noqa: S310 - the scheme was checked
        try:
            with self._opener.open(asked, timeout=_TIMEOUT_S) as answer:
                return _read(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise _meaning(error) from error
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error


def _read(answer: IO[bytes]) -> Any:
    return json.loads(answer.read(_ANSWER_BYTES_MOST))


def _meaning(error: urllib.error.HTTPError) -> Refused | Unavailable | Stopped:
    """Returns the meaning of an HTTP error. A refusal that is no problem of Klatsch's means a wrong address."""
    if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _LATER:
        after = error.headers.get("Retry-After", "")
        return Unavailable(f"HTTP {error.code}", float(after) if after.isdecimal() else 0, is_answered=True)
    if error.code == HTTPStatus.UNAUTHORIZED:
        return NotAuthenticated("REST does not take the token", error.code)
    problem = _problem(error)
    if isinstance(problem.get("code"), str):
        return refusal(problem["code"], str(problem.get("detail", "")))
    return Stopped(f"REST does not answer at {error.url}: check `api`", error.code)


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """Returns the body of a problem; empty where the answer is none."""
    try:
        problem = json.loads(error.read(_PROBLEM_BYTES_MOST))
    except (OSError, HTTPException, ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}
