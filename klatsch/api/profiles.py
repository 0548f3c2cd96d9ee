"""Your own account over REST: your profile, your sessions, and deactivation."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.accounts import credentials, passwords, profiles, revocation
from klatsch.accounts.texts import ABOUT_CHARACTERS_MOST, DISPLAY_NAME_CHARACTERS_MOST
from klatsch.api.auth import PASSWORD_CHARACTERS_MOST, ProfileSerializer
from klatsch.api.authentication import credential_of, person_of, user_of
from klatsch.api.bodies import StrictBooleanField, TextField, read_body, read_query
from klatsch.api.pages import PageQuery, cut, page_response, read_window
from klatsch.api.schema import NEIGHBOURS, operation, paged
from klatsch.core.text import LINE_OR_NOTHING, TEXT_OR_NOTHING, is_line, is_text


class _Visible(RegexValidator):
    """Checks a rule in a field. The OpenAPI document shows its pattern."""

    requires_context = True

    def __init__(self, pattern: str, rule: Callable[[str], bool], message: str) -> None:
        super().__init__(pattern.replace("$", r"\Z"), message)
        self._rule = rule

    def __call__(self, value: str, field: serializers.CharField) -> None:  # type: ignore[override]  # `requires_context`
        """Raises ValidationError where the rule refuses the text. Empty text is accepted: it clears the field.

        Django REST framework calls every validator. A text that is too long is left to that of the field's length.
        """
        is_too_long = field.max_length is not None and len(value) > field.max_length
        if value and not is_too_long and not self._rule(value):
            raise ValidationError(self.message, self.code)


_LINE = _Visible(LINE_OR_NOTHING, is_line, "Use one line of text with at least one visible character.")
TEXT = _Visible(
    TEXT_OR_NOTHING, is_text, "Use text without control characters and with at least one visible character."
)
"""Text of several lines with a visible character, or the empty text."""


class ProfileChangeSerializer(serializers.Serializer[Any]):
    display_name = TextField(
        max_length=DISPLAY_NAME_CHARACTERS_MOST, allow_blank=True, required=False, validators=[_LINE]
    )
    about = TextField(max_length=ABOUT_CHARACTERS_MOST, allow_blank=True, required=False, validators=[TEXT])
    read_receipts = StrictBooleanField(
        required=False, help_text="With false, only your own devices are told how far you have read from now on."
    )


class OwnPasswordSerializer(serializers.Serializer[Any]):
    password = TextField(max_length=PASSWORD_CHARACTERS_MOST)


class SessionSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="Names the session in this API. It is not a credential.")
    device = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(help_text="Accurate to a few minutes.")
    expires_at = serializers.DateTimeField()
    current = serializers.BooleanField(help_text="Whether this request uses this session.")


class SessionKey(NamedTuple):
    created_at: Annotated[datetime, msgspec.Meta(tz=True)]
    id: str


class Me(APIView):
    @operation(
        "me",
        "Your account",
        "Returns the profile of the account that you are signed in to.",
        answers={200: ProfileSerializer},
        refusals=(401,),
    )
    def get(self, request: Request) -> Response:
        return Response(ProfileSerializer(request.user).data)

    @operation(
        "change_profile",
        "Change your profile",
        "Changes the given fields and leaves the others as they are.",
        request=ProfileChangeSerializer,
        answers={200: ProfileSerializer},
        refusals=(400, 401),
    )
    def patch(self, request: Request) -> Response:
        fields = read_body(request, ProfileChangeSerializer)
        profile = profiles.change_profile(person_id=person_of(request).id, **fields)
        return Response(ProfileSerializer(profile).data)


class Deactivate(APIView):
    @operation(
        "deactivate",
        "Deactivate your account",
        "Ends all your sessions and tokens and closes your WebSockets within seconds. Nobody can send you messages any "
        "more. Your messages stay. Only staff can reactivate the account.",
        request=OwnPasswordSerializer,
        answers={204: None},
        refusals=(400, 401, 409, 429),
    )
    def post(self, request: Request) -> Response:
        fields = read_body(request, OwnPasswordSerializer)
        passwords.check_own_password(http=request, credential=credential_of(request), **fields, field="password")
        revocation.deactivate_person(person=user_of(request))
        return Response(status=204)


class Sessions(APIView):
    @operation(
        "list_sessions",
        "List your sessions",
        "Returns your live sessions, newest first.",
        parameters=(PageQuery, NEIGHBOURS),
        answers={200: paged(SessionSerializer, "SessionPage")},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> Response:
        window = read_window(read_query(request, PageQuery), SessionKey)
        sessions = credentials.list_sessions(
            person_id=person_of(request).id,
            current=credential_of(request),
            limit=window.fetch,
            after=window.after,
            before=window.before,
        )
        page = cut(sessions, window, lambda session: SessionKey(session.created_at, session.id))
        return page_response(request, page, SessionSerializer(page.rows, many=True).data)


class SessionById(APIView):
    @operation(
        "end_session",
        "End a session",
        "Ends the session at once. WebSockets that it opened close within seconds.",
        answers={204: None},
        refusals=(401, 404),
    )
    def delete(self, request: Request, session_id: str) -> Response:
        person = person_of(request)
        revocation.end_session(person_id=person.id, session_id=session_id)
        return Response(status=204)


urlpatterns = [
    path("me", Me.as_view()),
    path("me/deactivate", Deactivate.as_view()),
    path("auth/sessions", Sessions.as_view()),
    path("auth/sessions/<slug:session_id>", SessionById.as_view()),
]
