"""Each act that ends all credentials of a person, over REST and by staff, and which ones the person still has."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from knox.models import AuthToken

from klatsch.accounts import passwords
from klatsch.accounts.models import Session, User
from klatsch.records.people import credential_digest
from tests.integration.credentials import session_of
from tests.integration.people import (
    CREDENTIALS,
    PASSWORD,
    V1,
    admin_form,
    bearer,
    make_person,
    make_person_with_password,
    post,
)

NEW = "another horse battery"


def insist(ask: Callable[[], Any]) -> Any:
    """Returns the first answer that is not of a busy hasher; another 503 would be a deadlock, and is an answer."""
    while (answer := ask()).status_code == 503 and b"Too many sign-ins" in answer.content:
        pass
    return answer


def change(ana: User) -> None:
    body, headers = {"old_password": PASSWORD, "new_password": NEW}, bearer(ana)
    assert insist(lambda: post(Client(), f"{V1}/auth/password", body, headers=headers)).status_code == 204


def reset(ana: User) -> None:
    passwords.confirm_reset(uid=ana.pk, token=default_token_generator.make_token(ana), new_password=NEW)


def deactivate(ana: User) -> None:
    body, headers = {"password": PASSWORD}, bearer(ana)
    assert insist(lambda: post(Client(), f"{V1}/me/deactivate", body, headers=headers)).status_code == 204


def change_by_staff(ana: User) -> None:
    staff, _ = session_of(User.objects.get(username="root"))
    words = {"usable_password": "true", "password1": NEW, "password2": NEW}
    path = f"/admin/accounts/user/{ana.pk}/password/"
    assert insist(lambda: staff.post(path, words)).status_code == 302


def deactivate_by_staff(ana: User) -> None:
    staff, _ = session_of(User.objects.get(username="root"))
    form = admin_form(ana, is_active="")
    assert staff.post(f"/admin/accounts/user/{ana.pk}/change/", form).status_code == 302


ACTS: dict[str, Callable[[User], None]] = {
    act.__name__: act for act in (change, reset, deactivate, change_by_staff, deactivate_by_staff)
}


def take_token(client: Client) -> Any:
    return post(client, f"{V1}/auth/tokens", CREDENTIALS)


@pytest.fixture
def ana() -> User:
    make_person("root", is_staff=True, is_superuser=True)
    return make_person_with_password("ana", is_staff=True)


def held(ana: User) -> set[str]:
    return {*Session.objects.filter(user=ana).values_list("digest", flat=True)} | {
        credential_digest(pk) for pk in AuthToken.objects.filter(user=ana).values_list("pk", flat=True)
    }
