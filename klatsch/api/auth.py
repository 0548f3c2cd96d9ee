"""Accounts over REST: register, sign in and sign out."""

from typing import Any

from django.conf import settings
from django.urls import path
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.accounts import links, passwords, revocation, services
from klatsch.accounts.credentials import TokenView
from klatsch.accounts.limits import count_registration
from klatsch.api.authentication import SessionAuthentication, person_of
from klatsch.api.bodies import TextField, read_body
from klatsch.api.schema import operation

PASSWORD_CHARACTERS_MOST = 1024
"""The longest password. Validators that compare a password with the username take their time over longer ones."""


class RegistrationSerializer(serializers.Serializer[Any]):
    username = TextField(max_length=64, help_text="Your username. It never changes and is never reused.")
    email = TextField(max_length=254)
    password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class CredentialsSerializer(serializers.Serializer[Any]):
    username = TextField(max_length=254, help_text="Your username or e-mail address.")
    password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class SignInLinkSerializer(serializers.Serializer[Any]):
    token = TextField(max_length=100, help_text="What stands in the link after the last slash.")


class ProfileSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    email = serializers.EmailField()
    date_joined = serializers.DateTimeField()
    display_name = serializers.CharField()
    about = serializers.CharField()
    read_receipts = serializers.BooleanField(help_text="Whether others see how far you have read.")


class Entrance(APIView):
    """An endpoint for people who are not signed in. It ignores bearer tokens, so a stale token is no obstacle."""

    permission_classes = (AllowAny,)
    # A browser with a session needs the CSRF token even here. Without a session there is nothing to forge, and a page
    # elsewhere cannot send JSON unasked.
    authentication_classes = (SessionAuthentication,)


class Register(Entrance):
    @operation(
        "register",
        "Create an account",
        "Creates your account but does not sign you in. If you get an e-mail, follow its link first.",
        request=RegistrationSerializer,
        answers={201: ProfileSerializer},
        refusals=(400, 429),
    )
    def post(self, request: Request) -> Response:
        confirm = settings.ENV["KLATSCH_CONFIRM_EMAIL"]
        register = passwords.register_awaiting_email if confirm else services.register_person
        fields = read_body(request, RegistrationSerializer)
        count_registration(request)
        profile = register(**fields)
        return Response(ProfileSerializer(profile).data, 201)


class LogIn(Entrance):
    @operation(
        "log_in",
        "Sign in",
        "Opens a session under a new key and sets its cookie and the CSRF cookie.",
        request=CredentialsSerializer,
        answers={200: ProfileSerializer},
        refusals=(400, 401, 429),
    )
    def post(self, request: Request) -> Response:
        profile = services.sign_in(http=request, **read_body(request, CredentialsSerializer))
        return Response(ProfileSerializer(profile).data)


class LogInByLink(Entrance):
    @operation(
        "log_in_by_link",
        "Sign in by a link",
        "Opens a session by a link that `manage.py demo` prints, and sets its cookie and the CSRF cookie. A link works "
        "once, within minutes.",
        request=SignInLinkSerializer,
        answers={200: ProfileSerializer},
        refusals=(400, 401),
    )
    def post(self, request: Request) -> Response:
        profile = links.sign_in_by_link(http=request, **read_body(request, SignInLinkSerializer))
        return Response(ProfileSerializer(profile).data)


class LogOut(APIView):
    @operation(
        "log_out",
        "Sign out",
        "Ends the session or bearer token of this request, and no other credential. "
        "WebSockets that it opened close within seconds.",
        answers={204: None},
        refusals=(401,),
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
    path("auth/link", LogInByLink.as_view()),
    path("auth/logout", LogOut.as_view()),
]
