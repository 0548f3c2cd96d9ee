"""Makes every request that hashes a password take a slot before it takes a database connection."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from klatsch.accounts.hashing import hashes_password, hashing_slots
from klatsch.accounts.limits import client_network
from klatsch.api.errors import refuse
from klatsch.core.errors import Unavailable


class HashingDoor:
    """Middleware before the sessions: a request that waits for a slot holds no PostgreSQL connection.

    A refusal comes before any account is looked up, so it does not reveal which names exist.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not hashes_password(request.method or "", request.path_info):
            return self._get_response(request)
        request.body  # noqa: B018 - read before the slot is taken: a slow body must not hold a slot.
        try:
            with hashing_slots().take(client_network(request)):
                return self._get_response(request)
        except Unavailable as error:
            return refuse(request, error)
