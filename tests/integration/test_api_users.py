from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.models import User
from tests.integration.people import bearer, make_person, problem, wrong_fields

pytestmark = pytest.mark.django_db
USERS = "/api/v1/users"


@pytest.fixture
def headers() -> dict[str, str]:
    return bearer(make_person("zoe"))


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [person["username"] for person in answer.json()["results"]]


def test_people_are_found_by_the_beginning_of_their_name_in_any_case(client: Client, headers: dict[str, str]) -> None:
    for username in ("Anton", "ana", "anna_1", "annax1", "bob", "joanna"):
        make_person(username)
    assert names(client.get(USERS, {"search": "AN"}, headers=headers)) == ["ana", "anna_1", "annax1", "Anton"]
    assert names(client.get(USERS, {"search": "anna_"}, headers=headers)) == ["anna_1"]
    assert names(client.get(USERS, {"search": "%"}, headers=headers)) == []
    assert len(names(client.get(USERS, headers=headers))) == 7


def test_of_others_no_more_is_shown_than_id_username_and_what_they_say_of_themselves(
    client: Client, headers: dict[str, str]
) -> None:
    ana = make_person("ana")
    shown = {"id": str(ana.pk), "username": "ana"}
    assert client.get(f"{USERS}/ana", headers=headers).json() == shown | {"display_name": "", "about": ""}
    assert client.get(USERS, {"search": "ana"}, headers=headers).json()["results"] == [shown]


def test_pages_of_people_lead_to_each_other_in_body_and_link(client: Client, headers: dict[str, str]) -> None:
    for number in range(5):
        make_person(f"ana{number}")
    first = client.get(USERS, {"search": "ana", "limit": "2"}, headers=headers)
    second = client.get(first.json()["next"], headers=headers)
    third = client.get(second.json()["next"], headers=headers)
    assert [names(page) for page in (first, second, third)] == [["ana0", "ana1"], ["ana2", "ana3"], ["ana4"]]
    assert names(client.get(third.json()["previous"], headers=headers)) == ["ana2", "ana3"]
    assert first.json()["previous"] is None
    assert third.json()["next"] is None
    neighbours = second.json()
    assert second["Link"] == f'<{neighbours["next"]}>; rel="next", <{neighbours["previous"]}>; rel="prev"'


def test_a_page_has_50_people_at_most(client: Client, headers: dict[str, str]) -> None:
    User.objects.bulk_create(User(username=f"ana{n}", email=f"{n}@example.org") for n in range(60))
    assert len(names(client.get(USERS, headers=headers))) == 50
    assert wrong_fields(client.get(USERS, {"limit": "51"}, headers=headers)) == {"limit": "max_value"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"search": "a\0"}, "search"),
        ({"search": "x" * 65}, "search"),
        ({"limit": "0"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "\0"}, "cursor"),
    ],
)
def test_a_query_that_is_wrong_is_named(
    client: Client, headers: dict[str, str], query: dict[str, str], field: str
) -> None:
    assert wrong_fields(client.get(USERS, query, headers=headers)).keys() == {field}


def test_an_empty_parameter_is_as_none(client: Client, headers: dict[str, str]) -> None:
    assert names(client.get(f"{USERS}?search=&limit=&cursor=", headers=headers)) == ["zoe"]


def test_the_inactive_are_not_found(client: Client, headers: dict[str, str]) -> None:
    make_person("ana", is_active=False)
    assert names(client.get(USERS, {"search": "ana"}, headers=headers)) == []


@pytest.mark.parametrize("username", ["Ana", "ana", "ANA"])
def test_one_person_is_found_by_name_in_any_case(client: Client, headers: dict[str, str], username: str) -> None:
    make_person("Ana")
    assert client.get(f"{USERS}/{username}", headers=headers).json()["username"] == "Ana"


def test_unknown_inactive_and_impossible_names_give_the_same_404(client: Client, headers: dict[str, str]) -> None:
    make_person("ana", is_active=False)
    paths = ["ana", "bob", "%00", "a%20b", "%C3%A1na", "%FF", "..", "x" * 2000, "ana%0A", "'", "%ED%A0%80"]
    answers = [client.get(f"{USERS}/{path}", headers=headers) for path in paths]
    assert {problem(answer) for answer in answers} == {(404, "not_found")}
    assert len({answer.content for answer in answers}) == 1


def test_people_are_shown_to_people_only(client: Client) -> None:
    assert problem(client.get(USERS)) == (401, "not_authenticated")
    assert problem(client.get(f"{USERS}/ana")) == (401, "not_authenticated")


def test_a_search_costs_one_statement_beside_the_credentials(
    client: Client, headers: dict[str, str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(2):
        client.get(USERS, {"search": "an"}, headers=headers)
