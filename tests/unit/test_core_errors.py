"""The one family of errors: what protocol.md lists, each with one code and one status."""

import pytest

from klatsch.core import errors
from klatsch.core.errors import FieldError, KlatschError, RateLimited

FAMILY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, KlatschError)]
KINDS = [kind for kind in FAMILY if kind is not KlatschError]


def test_every_code_stands_for_one_error() -> None:
    codes = [kind.code for kind in KINDS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    "code",
    [
        *("bad_request", "unknown_op", "not_found", "not_a_member", "forbidden", "blocked", "invalid_content"),
        *("too_long", "conflict", "rate_limited", "unavailable", "unknown", "not_archived_yet"),
    ],
)
def test_every_code_of_the_protocol_has_its_error(code: str) -> None:
    assert code in {kind.code for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_temporary_is_no_fault_of_the_client(kind: type[KlatschError]) -> None:
    assert kind.temporary == (kind.status in {429, 503})


def test_an_error_carries_its_sentence_its_fields_and_when_to_come_again() -> None:
    field = FieldError("content", "empty", "1 to 4,000 characters")
    error = RateLimited("Too fast.", fields=(field,), retry_after=1.5)

    assert (str(error), error.detail, error.fields, error.retry_after) == ("Too fast.", "Too fast.", (field,), 1.5)
