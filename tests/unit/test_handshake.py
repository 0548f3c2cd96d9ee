"""The handshake: whose credential it is, and that a cookie comes from one of our pages, exactly (D13)."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.errors import Forbidden, NotAuthenticated
from klatsch.gateway.handshake import Credentials, NoSubprotocol, SessionCookie, is_allowed, read_handshake, session_key

OURS = ["https://chat.example", "http://localhost:8000"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://chat.example", True),
        ("https://chat.example:443", True),
        ("http://localhost:8000", True),
        # another scheme
        ("http://chat.example", False),
        ("https://localhost:8000", False),
        ("wss://chat.example", False),
        ("file://chat.example", False),
        ("chat.example", False),
        ("//chat.example", False),
        ("://chat.example", False),
        # another host
        ("https://chat.example.evil.org", False),
        ("https://evil.org", False),
        ("https://evil-chat.example", False),
        ("https://chat.example.", False),
        ("https://CHAT.EXAMPLE.evil.org", False),
        ("https://www.chat.example", False),
        ("https://a.b.chat.example", False),
        ("https://example", False),
        ("https://127.0.0.1:8000", False),
        ("https://[::1]", False),
        ("https://", False),
        ("https://.chat.example", False),
        # another port
        ("https://chat.example:444", False),
        ("https://chat.example:80", False),
        ("http://localhost", False),
        ("http://localhost:80000", False),
        ("http://localhost:8000x", False),
        ("http://localhost:-8000", False),
        # more than an origin
        ("https://chat.example@evil.org", False),
        ("https://chat.example:443@evil.org", False),
        ("https://ana@chat.example", False),
        ("https://ana:secret@chat.example", False),
        ("https://chat.example/", False),
        ("https://chat.example/page", False),
        ("https://chat.example?x", False),
        ("https://chat.example#x", False),
        ("https://evil.org/https://chat.example", False),
        ("https://evil.org\\.chat.example", False),
        ("https://chat.example\\@evil.org", False),
        (" https://chat.example", False),
        ("https://chat.example\t", False),
        ("https://chat.example\n", False),
        ("https://chat.example https://evil.org", False),
        # no origin
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_an_origin_is_allowed_when_scheme_host_and_port_are_ours_and_nothing_else(
    origin: str | None, *, allowed: bool
) -> None:
    assert is_allowed(origin, OURS) is allowed


@given(st.text(max_size=60) | st.text("https://chat.example:443@[]", max_size=40))
def test_any_text_is_an_allowed_origin_or_not(text: str) -> None:
    assert is_allowed(text, OURS) in {True, False}


def test_without_any_origin_of_ours_none_is_allowed() -> None:
    assert not is_allowed("https://chat.example", [])


def scope(
    *headers: tuple[bytes, bytes], subprotocols: tuple[str, ...] = ("klatsch.v1",), **more: Any
) -> dict[str, Any]:
    return {"subprotocols": list(subprotocols), "headers": list(headers)} | more


@pytest.mark.parametrize("offered", [(), ("klatsch.v2",), ("KLATSCH.V1",), ("ticket.abc",)])
def test_who_does_not_offer_the_sub_protocol_is_refused(offered: tuple[str, ...]) -> None:
    with pytest.raises(NoSubprotocol):
        read_handshake(scope(subprotocols=offered))


def test_a_ticket_rides_along_as_a_second_offered_protocol() -> None:
    assert read_handshake(scope(subprotocols=("klatsch.v1", "ticket.abc.def"))).ticket == "abc.def"
    assert read_handshake(scope(subprotocols=("ticket.abc", "klatsch.v1"))).ticket == "abc"
    assert read_handshake(scope()).ticket is None


@pytest.mark.parametrize(
    ("header", "bearer"),
    [
        (b"Bearer abc", "abc"),
        (b"bearer abc ", "abc"),
        (b"Basic YTpi", None),
        (b"abc", None),
        (b"", None),
        (b"Bearer \xff", "\xff"),
    ],
)
def test_a_bearer_token_is_read_from_its_header(header: bytes, bearer: str | None) -> None:
    assert read_handshake(scope((b"authorization", header))).bearer == bearer


def test_cookies_and_origin_are_read_and_the_query_is_never_looked_at() -> None:
    found = read_handshake(
        scope(
            (b"cookie", b"sessionid=abc"), (b"origin", b"https://chat.example"), query_string=b"token=secret&ticket=t"
        )
    )
    assert found == Credentials(ticket=None, bearer=None, cookies="sessionid=abc", origin="https://chat.example")


def test_no_credential_is_shown_by_its_repr() -> None:
    shown = repr(Credentials(ticket="secret1", bearer="secret2", cookies="sessionid=secret3", origin="secret4"))
    assert "secret" not in shown


def cookies(text: str | None, origin: str | None = OURS[0]) -> str:
    return session_key(
        Credentials(ticket=None, bearer=None, cookies=text, origin=origin), SessionCookie("sessionid", OURS)
    )


@pytest.mark.parametrize("other", ["theme=dark", "a[b]=1", "{}", 'a="' + "\\" * 10_000 + '"'], ids=lambda one: one[:9])
def test_a_session_is_found_among_the_cookies_of_one_of_our_pages(other: str) -> None:
    assert cookies(f"csrftoken=x; {other}; sessionid=abc; theme=dark") == "abc"


@pytest.mark.parametrize("text", [None, "", "csrftoken=x", "sessionid", "session id=abc", "=;=;", "sessionid\0=abc"])
def test_without_the_cookie_nobody_is_signed_in(text: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        cookies(text)


@pytest.mark.parametrize("origin", ["https://evil.org", "null", None])
def test_the_cookie_may_not_be_used_by_another_page(origin: str | None) -> None:
    with pytest.raises(Forbidden):
        cookies("sessionid=abc", origin)


@given(st.text(max_size=80))
def test_any_cookie_header_signs_somebody_in_or_nobody(text: str) -> None:
    with contextlib.suppress(NotAuthenticated):
        assert isinstance(cookies(text), str)
