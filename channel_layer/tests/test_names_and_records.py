"""Names of channels, and the form of records."""

import random

import pytest

from channels_kafka_layer import names, records
from channels_kafka_layer.connection import Connection, parse_hosts
from channels_kafka_layer.records import Record


def test_names_do_not_repeat_when_the_module_random_does() -> None:
    random.seed(1)
    first = (names.new_node(), names.new_channel_name("x", b"12345678"))
    random.seed(1)
    second = (names.new_node(), names.new_channel_name("x", b"12345678"))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_a_specific_channel_names_its_owner() -> None:
    node = names.new_node()
    assert names.owner_of(names.new_channel_name("specific", node)) == node


@pytest.mark.parametrize("channel", ["other!channel", "other!", "other!ä"])
def test_a_specific_channel_of_another_form_has_no_owner_here(channel: str) -> None:
    assert names.owner_of(channel) != names.new_node()


def test_a_record_names_its_sender_and_its_number() -> None:
    value = records.head(b"12345678", 700) + records.pack_fields("a", 1, b"\xff")
    record = Record(records.key_of(records.QUEUED, "work"), value, 5, 6)
    assert (record.kind, record.name, record.sender, record.number) == (b"n", "work", b"12345678", 700)
    assert record.fields() == ["a", 1, b"\xff"]


def test_a_groups_message_keeps_its_bytes() -> None:
    value = records.head(b"12345678", 1) + records.pack_group(60_000, b"body")
    assert Record(b"gg", value, 0, 0).group_fields() == (60_000, b"body")


def test_a_message_comes_back_with_all_types_that_channels_allows() -> None:
    message = {
        "bytes": b"\x00\xff",
        "str": "ä",
        "int": [-(2**63), 2**63 - 1],
        "float": 0.1,
        "list": [[], {}],
        "dict": {"a": {"b": None}},
        "bool": [True, False],
    }
    assert records.unpack_message(records.pack_message(message)) == message


def test_a_message_that_no_receiver_could_decode_is_refused() -> None:
    """A message that fails to decode would end all consumers of a group."""
    with pytest.raises(TypeError):
        records.pack_message({"type": "test.message", "seats": {(1, 2): "taken"}})


def test_a_tuple_comes_back_as_a_list() -> None:
    assert records.unpack_message(records.pack_message({"a": (1, 2)})) == {"a": [1, 2]}


@pytest.mark.parametrize("hosts", ["a:1,b:2", ["a:1", "b:2"], [("a", 1), ("b", 2)]])
def test_hosts_are_written_in_three_ways(hosts: str) -> None:
    assert parse_hosts(hosts) == "a:1,b:2"


def test_the_repr_of_a_connection_holds_no_password() -> None:
    assert "secret" not in repr(Connection("a:1", "t", {"sasl.password": "secret"}))
