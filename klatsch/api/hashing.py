"""The door of every request that hashes a password: a slot first, and only then what costs a connection."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from klatsch.accounts.hashing import hashes_password, hashing_slots
from klatsch.accounts.limits import client_network
from klatsch.api.errors import refuse
from klatsch.core.errors import Unavailable


class HashingDoor:
    """Stands before the sessions: whoever waits here has no connection of PostgreSQL.

    A refusal comes before anybody was looked up, so it is the same for names that exist and names that do not.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not hashes_password(request.method or "", request.path_info):
            return self._get_response(request)
        request.body  # noqa: B018 - read now: a body that dribbles in must not hold a slot
        try:
            with hashing_slots().take(client_network(request)):
                return self._get_response(request)
        except Unavailable as error:
            return refuse(request, error)
