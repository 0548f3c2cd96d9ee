"""Checks new people and passwords by Django's validators, and names for being taken. Every wrong field is named."""

from collections.abc import Iterator

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models.functions import Lower

from klatsch.accounts.addresses import address_key
from klatsch.accounts.models import User
from klatsch.core.errors import BadRequest, FieldError


def check_new_person(user: User, password: str) -> None:
    """Raises BadRequest unless `user` may be registered with this password."""
    _refuse_if([*_wrong_fields(user), *_weak_password(user, password, "password")])
    check_free(user)


def check_new_password(user: User, password: str, *, field: str) -> None:
    """Raises BadRequest naming `field` unless the person may use this password."""
    errors = tuple(_weak_password(user, password, field))
    if errors:
        raise BadRequest("This password cannot be used. Choose another.", fields=errors)


def check_free(user: User) -> None:
    """Raises BadRequest when the username or e-mail address is taken, in any spelling, by an active person or not."""
    folded = User.objects.alias(name=Lower("username"), address=Lower("email"))
    errors = []
    if folded.filter(name=user.username.lower()).exists():
        errors.append(FieldError("username", "taken", "This username is taken."))
    if folded.filter(address=address_key(user.email)).exists():
        errors.append(FieldError("email", "taken", "This e-mail address is in use."))
    _refuse_if(errors)


def _wrong_fields(user: User) -> Iterator[FieldError]:
    try:
        user.full_clean(exclude={"password"}, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        for name, wrong in error.error_dict.items():
            yield from _field_errors(name, wrong)


def _weak_password(user: User, password: str, field: str) -> Iterator[FieldError]:
    try:
        validate_password(password, user)
    except ValidationError as error:
        yield from _field_errors(field, error.error_list)


def _field_errors(name: str, wrong: list[ValidationError]) -> Iterator[FieldError]:
    for error in wrong:
        yield FieldError(name, error.code or "invalid", " ".join(error.messages))


def _refuse_if(errors: list[FieldError]) -> None:
    if errors:
        raise BadRequest("This account cannot be created. Correct the fields.", fields=tuple(errors))
