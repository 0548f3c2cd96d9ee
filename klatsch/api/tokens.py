"""Credentials over REST for clients other than browsers: bearer tokens, and tickets for one WebSocket."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from django.urls import path
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.accounts import credentials, revocation, services
from klatsch.accounts.devices import device_of
from klatsch.api.auth import CredentialsSerializer
from klatsch.api.authentication import SessionAuthentication, credential_of, person_of, user_of
from klatsch.api.bodies import read_body, read_query
from klatsch.api.pages import PageQuery, cut, page_response, read_window
from klatsch.api.schema import NEIGHBOURS, operation, paged


class NewTokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown only once. Send it as `Authorization: Bearer <token>`.")
    expires_at = serializers.DateTimeField()


class TokenSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The token's beginning.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    device = serializers.CharField(help_text="The device that created the token.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Accurate to a few minutes.")


class NewTicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="Opens one WebSocket. Offer it as the subprotocol `ticket.<ticket>`.")
    expires_in = serializers.IntegerField(help_text="Seconds.")


class TokenKey(NamedTuple):
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: str


class Tokens(APIView):
    def get_authenticators(self) -> list[BaseAuthentication]:
        # A token cannot create tokens: a leaked token must not outlive its end.
        return [SessionAuthentication()] if self._is_entrance() else super().get_authenticators()

    def get_permissions(self) -> Any:
        return [AllowAny()] if self._is_entrance() else super().get_permissions()

    def _is_entrance(self) -> bool:
        request: Any = self.request  # None when drf-spectacular asks
        return request is not None and request.method == "POST"

    @operation(
        "list_tokens",
        "List your tokens",
        "Returns your live bearer tokens, newest first.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(TokenSerializer, "TokenPage")},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> Response:
        window = read_window(read_query(request, PageQuery), TokenKey)
        tokens = credentials.list_tokens(
            person_id=person_of(request).id, limit=window.fetch, after=window.after, before=window.before
        )
        page = cut(tokens, window, lambda token: TokenKey(token.created_at, token.id))
        return page_response(request, page, TokenSerializer(page.rows, many=True).data)

    @operation(
        "create_token",
        "Create a token",
        "Creates a bearer token, for a username and password or, with an empty body, for your session.",
        request=CredentialsSerializer,
        answers={201: NewTokenSerializer},
        refusals=(400, 401, 409, 429),
    )
    def post(self, request: Request) -> Response:
        session = credential_of(request) if request.user.is_authenticated and not request.data else None
        if session is not None:
            person = user_of(request)
        else:
            person = services.check_credentials(http=request, **read_body(request, CredentialsSerializer))
        token = services.create_token(person=person, session=session, device=device_of(request))
        return Response(NewTokenSerializer(token).data, 201)


class TokenById(APIView):
    @operation(
        "end_token",
        "End a token",
        "Ends the token at once. WebSockets that it opened close within seconds.",
        answers={204: None},
        refusals=(401, 404),
    )
    def delete(self, request: Request, token_id: str) -> Response:
        person = person_of(request)
        revocation.end_token(person_id=person.id, token_id=token_id)
        return Response(status=204)


class Tickets(APIView):
    @operation(
        "create_ticket",
        "Create a WebSocket ticket",
        "For clients that can set neither a header nor a cookie at the handshake. A ticket works once, within seconds.",
        answers={201: NewTicketSerializer},
        refusals=(401, 429),
    )
    def post(self, request: Request) -> Response:
        ticket = services.create_ticket(person_id=person_of(request).id, credential=credential_of(request))
        return Response(NewTicketSerializer(ticket).data, 201)


urlpatterns = [
    path("auth/tokens", Tokens.as_view()),
    path("auth/tokens/<slug:token_id>", TokenById.as_view()),
    path("auth/ticket", Tickets.as_view()),
]
