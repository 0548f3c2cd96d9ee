"""One password, however its letters are composed: at the hashers, at the validators, and for hashes from before."""

import unicodedata
from collections.abc import Callable

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from klatsch.accounts import hashing
from klatsch.accounts.hashing import Argon2AsTyped, BCryptAsTyped, Verdict, verify
from klatsch.accounts.password_form import NORMALIZED_CHARACTERS_MOST, one_form

NFC = unicodedata.normalize("NFC", "Grüße aus Zürich, Ångström")
NFD = unicodedata.normalize("NFD", NFC)


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BCryptAsTyped, "rounds", 4)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects every password that is hashed by bcrypt, in order."""
    seen: list[str] = []
    encode = BCryptAsTyped.encode

    def note(self: BCryptAsTyped, password: str, salt: str | bytes) -> str:
        seen.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(BCryptAsTyped, "encode", note)
    return seen


@pytest.mark.parametrize(
    ("typed", "form"),
    [
        (NFD, NFC),
        (NFC, NFC),
        ("a\u00a0b\u3000c\u2003d", "a b c d"),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"),
        ("correct horse", "correct horse"),
        ("Ｐassword", "Ｐassword"),  # the width counts (RFC 8265, 4.2.2), and so does the case
        (" kept ", " kept "),
        ("", ""),
    ],
)
def test_spaces_become_one_and_letters_are_composed_and_nothing_else_changes(typed: str, form: str) -> None:
    assert one_form(typed) == form
    assert one_form(form) == form


def test_what_is_longer_than_any_endpoint_takes_is_not_normalized() -> None:
    assert one_form("e\u0301" * (NORMALIZED_CHARACTERS_MOST // 2)) == "\u00e9" * (NORMALIZED_CHARACTERS_MOST // 2)
    longer = "e\u0301" * NORMALIZED_CHARACTERS_MOST
    assert one_form(longer) is longer


@pytest.mark.parametrize("hasher", ["bcrypt_sha256", "argon2"])
@pytest.mark.parametrize(("made", "typed"), [(NFC, NFD), (NFD, NFC), (NFD, NFD)])
def test_a_hasher_knows_one_password_however_it_is_typed(hasher: str, made: str, typed: str) -> None:
    encoded = make_password(made, hasher=hasher)
    assert check_password(typed, encoded)
    assert not check_password(typed + "x", encoded)


@pytest.mark.parametrize("old", [BCryptAsTyped(), Argon2AsTyped()])
def test_a_hash_from_before_is_right_for_what_was_typed_then_and_is_outdated(old: BCryptAsTyped) -> None:
    encoded = old.encode(NFD, old.salt())
    assert verify(NFD, encoded) == Verdict(right=True, outdated=True)
    assert not verify(NFD + "x", encoded).right
    assert not verify(NFC + "x", encoded).right


def test_a_hash_of_the_one_form_is_not_outdated_however_it_is_typed() -> None:
    encoded = make_password(NFD)
    assert verify(NFD, encoded) == verify(NFC, encoded) == Verdict(right=True, outdated=False)


def test_an_empty_password_is_never_right() -> None:
    assert not verify("", make_password("")).right


KINDS: dict[str, Callable[[], str]] = {
    "right": lambda: make_password(NFC),
    "right from before": lambda: BCryptAsTyped().encode(NFD, BCryptAsTyped().salt()),
    "wrong": lambda: make_password("another"),
    "nobody's": lambda: make_password(None),
    "unreadable": lambda: "no hash",
}


@pytest.mark.parametrize(("typed", "hashes"), [(NFD, 2), (NFC, 1), ("ascii", 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_how_often_is_hashed_tells_how_it_was_typed_and_not_whose_it_is(
    hashed: list[str], kind: str, typed: str, hashes: int
) -> None:
    encoded = KINDS[kind]()
    hashed.clear()
    verify(typed, encoded)
    assert len(hashed) == hashes


def test_a_hash_with_fewer_rounds_costs_as_much_as_any_in_both_forms(
    hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = make_password("another")
    monkeypatch.setattr(BCryptAsTyped, "rounds", 5)
    hashed.clear()
    assert verify(NFD, encoded) == Verdict(right=False, outdated=True)
    assert len(hashed) == 4  # twice half the work, in each form


def test_both_forms_wait_for_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[bool] = []
    take = hashing.hashing_slots().take

    def note() -> object:
        taken.append(True)
        return take()

    monkeypatch.setattr(hashing.hashing_slots(), "take", note)
    verify(NFD, make_password("another"))
    assert len(taken) == 3


def test_length_is_counted_in_the_one_form() -> None:
    composed = "äöüäöüä"
    decomposed = unicodedata.normalize("NFD", composed)
    assert (len(composed), len(decomposed)) == (7, 14)
    for password in (composed, decomposed):
        with pytest.raises(ValidationError) as caught:
            validate_password(password)
        assert [error.code for error in caught.value.error_list] == ["password_too_short"]
    validate_password(decomposed + "ß")
