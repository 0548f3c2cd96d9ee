"""BoundedHttp: what a peer may send before anybody knows who it is has a bound, and an answer at the bound (D12)."""

import pytest

from klatsch.core.http_limits import BODY_BYTES_MOST, HEAD_BYTES_MOST
from klatsch.gateway.http import bounded as http_protocol
from klatsch.gateway.http.bounded import PIPELINE_MOST
from klatsch.gateway.socket import ChatSocket
from tests.support.waiting import until
from tests.unit.http_peer import HELLO, UPGRADE, Peer


def head_of(size: int) -> bytes:
    """Returns a head whose request target, names and values (with four bytes for each header) come to that size."""
    start, end = b"GET /hello HTTP/1.1\r\nHost: k\r\nX-Long: ", b"\r\n\r\n"
    return start + b"a" * (size - len(b"/hello") - len(b"Hostk") - len(b"X-Long") - 2 * 4) + end


async def test_a_head_of_16_kib_is_taken_and_one_byte_more_is_431() -> None:
    peer = Peer()
    peer.send(head_of(HEAD_BYTES_MOST))
    await until(lambda: peer.answers() == 1)
    peer.wire.raw = b""
    peer.send(head_of(HEAD_BYTES_MOST + 1))
    assert await peer.refusal() == (431, "head_too_large")
    assert len(peer.scopes) == 1


async def test_a_browser_is_refused_with_a_page() -> None:
    peer = Peer()
    peer.send(b"GET /%s HTTP/1.1\r\nHost: k\r\nAccept: text/html\r\n\r\n" % (b"a" * HEAD_BYTES_MOST))
    await until(lambda: b"</html>" in peer.wire.raw)
    assert b"HTTP/1.1 431 " in peer.wire.raw
    assert b"\r\ncontent-type: text/html; charset=utf-8\r\n" in peer.wire.raw


@pytest.mark.parametrize(
    "endless",
    [
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 64,
        b"GET /" + b"a" * 64,
        b"GET / HTTP/1.1\r\n" + b"X-A: a\r\n" * 8,
        b"\r\n" * 32,
    ],
    ids=["a value", "an address", "headers", "empty lines"],
)
async def test_a_head_without_end_is_431_before_its_end_and_nothing_more_is_kept(endless: bytes) -> None:
    peer = Peer()
    more = endless[-64:]
    peer.send(endless)
    sent = len(endless)
    while not peer.wire.raw:
        assert sent < 2 * HEAD_BYTES_MOST
        peer.send(more * 16)
        sent += len(more) * 16
    assert await peer.refusal() == (431, "head_too_large")
    assert peer.wire.ended  # and what still comes is read for a while, so that the refusal is not lost by a reset
    assert not peer.wire.closing
    peer.send(b"a" * 2_000_000)
    assert peer.wire.aborted


async def test_a_pipeline_is_answered_whole_and_only_its_bytes_wait() -> None:
    peer = Peer()
    peer.may.clear()
    count = 5_000
    peer.send(HELLO * count)
    await until(lambda: peer.bodies)
    assert len(peer.protocol.pipeline) <= PIPELINE_MOST + http_protocol._SLICE_BYTES // len(HELLO)
    assert not peer.wire.reading
    assert peer.answers() == 0
    peer.may.set()
    await until(lambda: peer.answers() == count)
    assert peer.wire.reading
    assert not peer.wire.closing


async def test_a_pipeline_goes_on_with_bodies_and_keeps_its_order() -> None:
    peer = Peer()
    peer.may.clear()
    texts = [b"%d" % number * 50 for number in range(200)]
    peer.send(b"".join(b"POST /hello HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(t), t) for t in texts))
    peer.may.set()
    await until(lambda: peer.answers() == len(texts))
    assert peer.bodies == texts


async def test_a_body_that_is_said_to_be_too_long_is_413_before_any_of_it_is_read() -> None:
    peer = Peer()
    peer.send(b"POST /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MOST + 1))
    assert await peer.refusal() == (413, "too_large")
    assert peer.scopes == []


@pytest.mark.parametrize("size", [1, 1_000, 100_000])
async def test_a_body_in_chunks_is_taken_up_to_the_same_length_and_is_413_beyond(size: int) -> None:
    def chunked(length: int) -> bytes:
        whole = [b"%x\r\n%b\r\n" % (size, b"a" * size)] * (length // size)
        return b"".join(whole) + (b"%x\r\n%b\r\n" % (length % size, b"a" * (length % size)) if length % size else b"")

    peer = Peer()
    peer.send(b"POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    await peer.upload(chunked(BODY_BYTES_MOST) + b"0\r\n\r\n")
    await until(lambda: peer.answers() == 1)
    assert peer.bodies == [b"a" * BODY_BYTES_MOST]
    peer.wire.raw = b""
    peer.send(b"POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    await peer.upload(chunked(BODY_BYTES_MOST) + b"1\r\na\r\n")
    assert await peer.refusal() == (413, "too_large")


async def test_names_with_underscores_and_trailers_are_dropped() -> None:
    peer = Peer()
    peer.send(
        b"POST /hello HTTP/1.1\r\nX-Forwarded-For: real\r\nX_Forwarded_For: false\r\nX_Forwarded-Proto: https\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Forwarded-For: late\r\n\r\n"
    )
    await until(lambda: peer.answers() == 1)
    assert peer.scopes[0]["headers"] == [(b"x-forwarded-for", b"real"), (b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: k", 408),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcd", 408),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcd", 408),
        (b"", None),
        (HELLO + b"G", 408),
    ],
    ids=["a head", "a body", "a chunk", "nothing", "a second head"],
)
async def test_what_does_not_come_in_time_is_408_and_who_says_nothing_is_closed(
    monkeypatch: pytest.MonkeyPatch, begun: bytes, status: int | None
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_S", 0.1)
    monkeypatch.setattr(http_protocol, "BODY_S", 0.1)
    peer = Peer()
    peer.send(begun)
    if begun.startswith(HELLO):
        await until(lambda: peer.answers() == 1)
        peer.wire.raw = b""
    await until(lambda: peer.wire.raw or peer.wire.closing)
    if status is None:
        assert peer.wire.raw == b""
    else:
        assert await peer.refusal() == (status, "request_timeout")


async def test_who_waits_for_an_answer_has_no_deadline() -> None:
    peer = Peer()
    assert peer.protocol._deadline is not None
    peer.may.clear()
    peer.send(HELLO)
    await until(lambda: peer.bodies)
    assert peer.protocol._deadline is None


async def test_a_second_request_that_is_none_does_not_spoil_the_answer_to_the_first() -> None:
    peer = Peer()
    peer.may.clear()
    peer.send(HELLO + b"\0\0\0\r\n\r\n")
    peer.may.set()
    await until(lambda: peer.wire.closing)
    assert peer.wire.raw.endswith(b"\r\n\r\nok")
    assert b" 400 " not in peer.wire.raw


async def test_http_1_0_is_answered_without_chunks_and_ends_with_the_connection() -> None:
    peer = Peer()
    peer.send(b"GET /stream HTTP/1.0\r\n\r\n")
    await until(lambda: peer.wire.closing)
    head, _, body = peer.wire.raw.partition(b"\r\n\r\n")
    assert body == b"ok"
    assert b"transfer-encoding" not in head.lower()


@pytest.mark.parametrize("length", [1, 5_000, 100_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_an_offer_of_another_protocol_changes_nothing(length: int, *, chunked: bool) -> None:
    peer = Peer()
    text = b"a" * length
    framed = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (length, text)
    request = (
        b"POST /hello HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAAB\r\n"
    )
    request += framed if chunked else b"Content-Length: %d\r\n\r\n%b" % (length, text)
    await peer.upload(request + HELLO + request.replace(b"Upgrade: h2c", b"Upgrade: h2c, websocket") + HELLO)
    await until(lambda: peer.answers() == 4)
    assert peer.bodies == [text, b"", text, b""]
    assert not peer.wire.closing
    peer.send(UPGRADE)
    await until(lambda: peer.scopes[-1]["type"] == "websocket")


@pytest.mark.parametrize("offer", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"], ids=["alone", "with an offer"])
@pytest.mark.parametrize(("target", "status"), [(b"k:80", 400), (b"http://k/hello", 200)])
async def test_a_tunnel_is_no_such_offer(target: bytes, status: int, offer: bytes) -> None:
    peer = Peer()
    peer.send(b"CONNECT %b HTTP/1.1\r\nHost: k\r\n%b\r\n" % (target, offer))
    await until(lambda: peer.wire.raw.startswith(b"HTTP/1.1 %d " % status))


async def test_the_bounds_hold_for_a_request_that_offers_another_protocol() -> None:
    offer = b"POST /hello HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    peer = Peer()
    peer.send(offer + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MOST + 1))
    assert await peer.refusal() == (413, "too_large")
    peer = Peer()
    peer.send(offer + b"X-Long: " + b"a" * HEAD_BYTES_MOST + b"\r\n\r\n")
    assert await peer.refusal() == (431, "head_too_large")
    assert peer.scopes == []


async def test_a_websocket_of_a_bounded_head_is_handed_on() -> None:
    peer = Peer()
    peer.send(UPGRADE)
    assert isinstance(peer.wire.protocol, ChatSocket)
    await until(lambda: peer.scopes)
    assert peer.scopes[0]["type"] == "websocket"
    assert b"x_forwarded_for" not in dict(peer.scopes[0]["headers"])


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (b"".join(b"X-%d: a\r\n" % number for number in range(200)), 431),
        (b"Cookie: " + b"a" * 9_000 + b"\r\n", 431),
        (b"Content-Length: 1\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n", 400),
    ],
    ids=["200 headers", "a long cookie", "a body", "chunks"],
)
async def test_a_websocket_that_its_parser_refuses_is_answered_and_closed(more: bytes, status: int) -> None:
    peer = Peer()
    peer.send(UPGRADE.removesuffix(b"\r\n") + more + b"\r\n")
    assert peer.wire.raw.startswith(b"HTTP/1.1 %d " % status)
    assert peer.wire.closing
    peer.wire.protocol.shutdown()  # of a server that ends while the peer has not taken the answer
    assert peer.wire.raw.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("behind", [b"", b"\0\0\0\r\n\r\n"], ids=["nothing", "no request"])
@pytest.mark.parametrize("request_of", [HELLO, UPGRADE], ids=["a request", "an upgrade"])
async def test_a_long_head_is_refused_once_whatever_it_asks_for_and_comes_behind(
    request_of: bytes, behind: bytes
) -> None:
    peer = Peer()
    peer.send(request_of.removesuffix(b"\r\n") + b"X-Long: " + b"a" * HEAD_BYTES_MOST + b"\r\n\r\n" + behind)
    assert await peer.refusal() == (431, "head_too_large")
    assert (peer.wire.raw.count(b"HTTP/1.1 "), peer.scopes, peer.wire.protocol) == (1, [], None)
