"""Passwords over REST: change your own, reset it by an e-mailed link, and confirm your e-mail address."""

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.accounts import passwords
from klatsch.accounts.credentials import TokenView
from klatsch.api.auth import PASSWORD_CHARACTERS_MOST, Entrance
from klatsch.api.authentication import credential_of
from klatsch.api.bodies import TextField, read_body
from klatsch.api.schema import operation

_TOKEN_CHARACTERS_MOST = 100


class PasswordChangeSerializer(serializers.Serializer[Any]):
    old_password = TextField(max_length=PASSWORD_CHARACTERS_MOST)
    new_password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class ResetSerializer(serializers.Serializer[Any]):
    email = TextField(max_length=254)


class ProofSerializer(serializers.Serializer[Any]):
    uid = serializers.UUIDField(help_text="From the link in the e-mail.")
    token = TextField(max_length=_TOKEN_CHARACTERS_MOST, help_text="From the link in the e-mail. It works once.")


class NewPasswordSerializer(ProofSerializer):
    new_password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class Password(APIView):
    @operation(
        "change_password",
        "Change your password",
        "Ends all your tokens and your other sessions. The current session continues under a new key. Your WebSockets "
        "close within seconds: reconnect them.",
        request=PasswordChangeSerializer,
        answers={204: None},
        refusals=(400, 401, 409, 429),
    )
    def post(self, request: Request) -> Response:
        keep_session = not isinstance(request.auth, TokenView)
        fields = read_body(request, PasswordChangeSerializer)
        passwords.change_password(http=request, credential=credential_of(request), **fields, keep_session=keep_session)
        return Response(status=204)


class Reset(Entrance):
    @operation(
        "request_password_reset",
        "Request a password reset",
        "Sends a reset link to the account with this e-mail address. The answer does not reveal whether one exists.",
        request=ResetSerializer,
        answers={202: None},
        refusals=(400, 429),
    )
    def post(self, request: Request) -> Response:
        passwords.request_reset(http=request, **read_body(request, ResetSerializer))
        return Response(status=202)


class ConfirmReset(Entrance):
    @operation(
        "reset_password",
        "Reset your password",
        "Sets a new password by a link that works once. Ends all sessions and tokens, and does not sign you in.",
        request=NewPasswordSerializer,
        answers={204: None},
        refusals=(400,),
    )
    def post(self, request: Request) -> Response:
        passwords.confirm_reset(**read_body(request, NewPasswordSerializer))
        return Response(status=204)


class ConfirmEmail(Entrance):
    @operation(
        "confirm_email",
        "Confirm your e-mail address",
        "Activates your account by the link in the e-mail. With `KLATSCH_CONFIRM_EMAIL`, you cannot sign in before.",
        request=ProofSerializer,
        answers={204: None},
        refusals=(400,),
    )
    def post(self, request: Request) -> Response:
        passwords.confirm_email(**read_body(request, ProofSerializer))
        return Response(status=204)


urlpatterns = [
    path("auth/password", Password.as_view()),
    path("auth/password/reset", Reset.as_view()),
    path("auth/password/reset/confirm", ConfirmReset.as_view()),
    path("auth/email/confirm", ConfirmEmail.as_view()),
]
