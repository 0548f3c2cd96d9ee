"""Accounts over REST: register, log in and out, and who one is."""

from typing import Any

from django.conf import settings
from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.accounts import passwords, revocation, services
from klatsch.accounts.credentials import TokenView
from klatsch.accounts.limits import count_registration
from klatsch.api.authentication import SessionAuthentication, person_of
from klatsch.api.bodies import TextField, read_body
from klatsch.api.schema import operation

PASSWORD_CHARACTERS_MOST = 1024
"""No passphrase is longer; validators that compare it with the name take their time over longer ones."""


class RegistrationSerializer(serializers.Serializer[Any]):
    username = TextField(max_length=64, help_text="Never changes, and is never used again.")
    email = TextField(max_length=254)
    password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class CredentialsSerializer(serializers.Serializer[Any]):
    username = TextField(max_length=254, help_text="Or the e-mail address.")
    password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class ProfileSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.EmailField()
    date_joined = serializers.DateTimeField()
    display_name = serializers.CharField()
    about = serializers.CharField()


class Entrance(APIView):
    """For people who are not signed in yet. A bearer token counts for nothing here, so a stale one is no obstacle."""

    permission_classes = (AllowAny,)
    # A browser that has a session needs the CSRF token even here. Without one there is nothing to ride on, and a page
    # elsewhere cannot send JSON unasked.
    authentication_classes = (SessionAuthentication,)


class Register(Entrance):
    @operation(
        "register",
        "Register",
        "Makes a new person. Does not sign them in. Where addresses are confirmed, they get an e-mail first.",
        request=RegistrationSerializer,
        answers={201: ProfileSerializer},
        refusals=(400, 403, 429),
    )
    def post(self, request: Request) -> Response:
        confirm = settings.ENV["KLATSCH_CONFIRM_EMAIL"]
        fields = read_body(request, RegistrationSerializer)
        count_registration(request)
        profile = services.register_person(**fields, confirm_email=confirm)
        if confirm:
            passwords.request_confirmation(person_id=profile.id)
        return Response(ProfileSerializer(profile).data, 201)


class LogIn(Entrance):
    @operation(
        "log_in",
        "Log in",
        "Opens a session under a new key and sets its cookie, and the CSRF cookie.",
        request=CredentialsSerializer,
        answers={200: ProfileSerializer},
        refusals=(400, 401, 403, 429),
    )
    def post(self, request: Request) -> Response:
        profile = services.sign_in(http=request, **read_body(request, CredentialsSerializer))
        return Response(ProfileSerializer(profile).data)


class LogOut(APIView):
    @operation(
        "log_out",
        "Log out",
        "Ends the credential that the request came with, the session or the bearer token, and no other; "
        "WebSockets that came with it are closed within seconds.",
        answers={204: None},
        refusals=(401, 403),
    )
    def post(self, request: Request) -> Response:
        person = person_of(request)
        if isinstance(request.auth, TokenView):
            revocation.end_token(person_id=person.id, token_id=request.auth.id)
        else:
            services.sign_out(http=request)
        return Response(status=204)


urlpatterns = [
    path("auth/register", Register.as_view()),
    path("auth/login", LogIn.as_view()),
    path("auth/logout", LogOut.as_view()),
]
