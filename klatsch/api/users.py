"""Other people over REST: find them, get a profile."""

from typing import Any, NamedTuple

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from klatsch.accounts import queries
from klatsch.api.bodies import TextField, read_query
from klatsch.api.pages import PageQuery, cut, page_response, read_window
from klatsch.api.schema import NEIGHBOURS, operation, paged

PEOPLE_MOST = 50


class PeopleQuery(PageQuery):
    limit = serializers.IntegerField(
        min_value=1, max_value=PEOPLE_MOST, default=PEOPLE_MOST, help_text="The most rows on a page."
    )
    search = TextField(
        max_length=64, default="", allow_blank=True, help_text="The beginning of the username, in any case."
    )


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()


class CardSerializer(PersonSerializer):
    display_name = serializers.CharField()
    about = serializers.CharField()


class PersonKey(NamedTuple):
    folded_username: str

    @classmethod
    def of(cls, person: queries.Person) -> "PersonKey":
        return cls(person.username.lower())


class People(APIView):
    @operation(
        "search_users",
        "Search people",
        "Returns people by the beginning of their username, in alphabetical order.",
        parameters=(PeopleQuery, NEIGHBOURS),
        answers={200: paged(PersonSerializer, "UserPage")},
        refusals=(400, 401),
    )
    def get(self, request: Request) -> Response:
        query = read_query(request, PeopleQuery)
        window = read_window(query, PersonKey)
        people = queries.search_people(
            prefix=query["search"], limit=window.fetch, after=window.after, before=window.before
        )
        page = cut(people, window, PersonKey.of)
        return page_response(request, page, PersonSerializer(page.rows, many=True).data)


class PersonByName(APIView):
    @operation(
        "get_user",
        "Get a person",
        "Returns a person's profile by username, in any case.",
        answers={200: CardSerializer},
        refusals=(401, 404),
    )
    def get(self, request: Request, username: str) -> Response:  # noqa: ARG002 - Django's signature
        return Response(CardSerializer(queries.get_person(username)).data)


urlpatterns: list[Any] = [
    path("users", People.as_view()),
    path("users/<str:username>", PersonByName.as_view()),
]
