"""The splitter: whole text messages apart from all other bytes, in any chunks, nothing lost or reordered."""

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Opcode

from klatsch.gateway.framing import Splitter
from tests.unit.frame_bytes import chunks_of, frame

TEXT = Opcode.TEXT


payloads = st.binary(max_size=200) | st.integers(0, 70_000).map(bytes)
frames = st.lists(
    st.builds(
        lambda opcode, payload, fin, mask: frame(opcode, payload, fin=fin, mask=mask),
        st.sampled_from([Opcode.TEXT, Opcode.TEXT, Opcode.BINARY, Opcode.CONT]),
        payloads,
        st.booleans(),
        st.booleans(),
    )
    | st.builds(
        frame,
        st.sampled_from([Opcode.PING, Opcode.PONG]),
        st.binary(max_size=125),
    ),
    max_size=12,
)


@given(frames, st.lists(st.integers(0, 2**20), max_size=30))
def test_every_byte_passes_once_and_in_order_and_text_frames_are_whole(sent: list[bytes], cuts: list[int]) -> None:
    splitter, passed = Splitter(), b""
    for chunk in chunks_of(b"".join(sent), cuts):
        for part, payload in splitter.split(chunk):
            passed += part
            if payload:
                assert part in sent
                assert part[0] == 0x81
                assert Splitter().split(part) == [(part, payload)]
    whole = b"".join(sent)
    assert whole.startswith(passed)
    assert passed + splitter.kept == whole


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_text_messages_that_come_together_are_all_taken_apart(texts: list[bytes]) -> None:
    sent = [frame(TEXT, text) for text in texts]
    parts = Splitter().split(b"".join(sent))
    assert [part for part, _ in parts] == sent
    assert all(payload for _, payload in parts)


def test_a_text_of_which_a_part_has_come_waits_for_its_rest_once() -> None:
    splitter, sent = Splitter(), frame(TEXT, b"x" * 100)
    assert splitter.split(sent[:50]) == []
    assert splitter.split(sent[50:]) == [(sent, 6)]
    assert splitter.split(sent[:50]) == []
    assert splitter.split(sent[50:70]) == [(sent[:70], 0)]
    assert splitter.split(sent[70:] + sent) == [(sent[70:], 0), (sent, 6)]


def test_a_size_in_eight_bytes_is_read_however_large() -> None:
    head = b"\x81\xff" + (2**63).to_bytes(8, "big") + bytes(4)
    splitter = Splitter()
    assert splitter.split(head[:9]) == []
    assert splitter.split(head[9:] + b"x" * 10) == [(head + b"x" * 10, 0)]
    assert splitter.split(b"y" * 10) == [(b"y" * 10, 0)]


def test_frames_that_are_no_whole_texts_pass_together() -> None:
    others = (
        frame(Opcode.PING, b"1") + frame(TEXT, b"a", fin=False) + frame(Opcode.CONT, b"b") + frame(Opcode.CLOSE, b"")
    )
    assert Splitter().split(others) == [(others, 0)]
