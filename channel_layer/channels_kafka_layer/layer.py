"""The channel layer: Channels' contract, each call of which is a record, a look into a dictionary, or a wait."""

import asyncio
import atexit
import ctypes
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from channels.exceptions import MessageTooLarge
from channels.layers import BaseChannelLayer
from django.utils.module_loading import import_string

from channels_kafka_layer import names, records
from channels_kafka_layer import topic as topics
from channels_kafka_layer.connection import MESSAGE_BYTES_MOST, Connection, Hosts, Setting, parse_hosts
from channels_kafka_layer.errors import KafkaUnavailable
from channels_kafka_layer.forking import check_lookups
from channels_kafka_layer.node import Node, Settings
from channels_kafka_layer.reading import Gap
from channels_kafka_layer.records import key_of, pack_fields, pack_group
from channels_kafka_layer.waiting import Waiter

_layers: "weakref.WeakSet[KafkaChannelLayer]" = weakref.WeakSet()


class KafkaChannelLayer(BaseChannelLayer):
    """A channel layer over one Kafka topic. The constructor does no I/O, and nothing belongs to an event loop.

    `kafka` are settings of librdkafka (TLS, SASL). `create_topic` lets a process create the topic where it is missing,
    with that many copies. `on_gap`, a function or its dotted path, is called with a Gap on a thread of its own where
    messages were lost. `send_timeout` is the time, in seconds, until a call gives up on Kafka.
    """

    extensions = ["groups", "flush"]  # noqa: RUF012 - a list, as Channels has it

    def __init__(
        self,
        hosts: Hosts = "127.0.0.1:9092",
        topic: str = "channels",
        *,
        expiry: float = 60,
        group_expiry: float = 86_400,
        capacity: int = 100,
        channel_capacity: Mapping[Any, int] | None = None,
        kafka: Mapping[str, Setting] | None = None,
        create_topic: bool | int = False,
        send_timeout: float = 30,
        on_gap: Callable[[Gap], object] | str | None = None,
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity)  # type: ignore[arg-type]  # typed as int; any number will do
        # Compiled by name: Channels types the attribute for what it is before that.
        self.channel_capacity = self.compile_capacities(dict(channel_capacity or {}))  # type: ignore[assignment]
        self.group_expiry = group_expiry
        self.send_timeout = send_timeout
        self._life_ms = int(expiry * 1_000)
        self._settings = Settings(
            connection=Connection(parse_hosts(hosts), topic, dict(kafka or {})),
            expiry_s=expiry,
            timeout_s=send_timeout,
            capacity_of=_capacities(self),
            create_topic=create_topic,
            on_gap=import_string(on_gap) if isinstance(on_gap, str) else on_gap,
        )
        self._making = threading.Lock()
        self._made: Node | None = None
        self._closing: weakref.finalize[[Node], KafkaChannelLayer] | None = None
        _layers.add(self)

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        """Sends to a channel. Raises ChannelFull for a normal channel, and for a specific one of this process."""
        self._check_channel(channel)
        body = _pack(message)
        if names.is_specific(channel):
            key = records.MESSAGE + names.owner_of(channel)
            await self._confirmed(key, pack_fields(self._life_ms, channel, body))
        else:
            await self._follow()
            payload = pack_fields(self.get_capacity(channel), self._life_ms, body)
            await self._confirmed(key_of(records.QUEUED, channel), payload)

    async def receive(self, channel: str) -> dict[str, Any]:
        """Returns the channel's next message. A call that is cancelled loses none."""
        self._check_channel(channel)
        if not names.is_specific(channel):
            return records.unpack_message(await self._receive_normal(channel))
        if names.owner_of(channel) != self._node.id:
            raise AssertionError(f"{channel} is not a channel of this process")
        return records.unpack_message(await self._receive_specific(channel))

    async def new_channel(self, prefix: str = "specific") -> str:
        """Returns the name of a channel that only this process receives from."""
        name = names.new_channel_name(prefix, self._node.id)
        self._check_channel(name)
        await self._read()
        return name

    async def group_add(self, group: str, channel: str) -> None:
        """Adds a channel to a group. The membership ends with the channel, or with its process."""
        self._check_group(group)
        self._check_channel(channel)
        node = self._node
        if not names.is_specific(channel):
            await self._follow()
            with node.lock:
                waiter: Waiter[None] = Waiter()
                node.following.join(group, channel, self.get_capacity(channel), time.monotonic(), waiter)
            await waiter
        elif names.owner_of(channel) == node.id:
            await self._read()
            with node.lock:
                node.add(group, channel)
        else:
            await self._confirmed(records.ADD + names.owner_of(channel), pack_fields(group, channel))

    async def group_discard(self, group: str, channel: str) -> None:
        """Removes a channel from a group, where it is a member."""
        self._check_group(group)
        self._check_channel(channel)
        node = self._node
        if not names.is_specific(channel):
            await self._confirmed(key_of(records.LEAVE, channel), pack_fields(group))
        elif names.owner_of(channel) == node.id:
            with node.lock:
                node.discard(group, channel)
        else:
            await self._confirmed(records.DISCARD + names.owner_of(channel), pack_fields(group, channel))

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Sends to all members of a group, as one record; a member that is full does not get the message."""
        self._check_group(group)
        await self._confirmed(key_of(records.GROUP, group), pack_group(self._life_ms, _pack(message)))

    async def flush(self) -> None:
        """Empties all channels and groups, of all processes: of others as soon as they read of it, so mostly later."""
        await self._confirmed(records.FLUSH, b"")

    async def close(self) -> None:
        """Sends what is queued, and stops. The layer can be used again, as a new process's would."""
        node = self._let_go()
        if node is not None:
            await asyncio.get_running_loop().run_in_executor(None, node.close)

    def create_topic(self, replication: int) -> bool:
        """Creates the topic with that many copies; returns False where there is one already. Blocks for seconds."""
        return topics.create_topic(self._settings.connection, replication)

    @property
    def topic(self) -> str:
        return self._settings.connection.topic

    @property
    def dropped(self) -> int:
        """Returns how many messages this process has dropped, as a channel was full."""
        return 0 if self._made is None else self._made.dropped

    def _check_channel(self, name: object) -> None:
        if not self._is_name(name, self.channel_name_regex):
            raise TypeError(self.invalid_name_error.format("Channel"))

    def _check_group(self, name: object) -> None:
        if not self._is_name(name, self.group_name_regex):
            raise TypeError(self.invalid_name_error.format("Group"))

    def _is_name(self, name: object, pattern: re.Pattern[str]) -> bool:
        """Returns whether Channels allows a name. Its own functions for that changed their names in 4.3."""
        return isinstance(name, str) and len(name) < self.MAX_NAME_LENGTH and pattern.fullmatch(name) is not None

    @property
    def _node(self) -> Node:
        made = self._made
        if made is None:
            with self._making:
                made = self._made
                if made is None:
                    check_lookups()
                    made = self._made = Node(self._settings)
                    self._closing = weakref.finalize(self, _close_apart, made)
                    self._closing.atexit = False
        return made

    def _let_go(self) -> Node | None:
        """Parts with the present node, and returns it where there is one: nothing here closes it any more."""
        with self._making:
            node, self._made = self._made, None
            if self._closing is not None:
                self._closing.detach()
                self._closing = None
        return node

    async def _confirmed(self, key: bytes, payload: bytes) -> None:
        """Sends a record; returns once the own reader has passed it or, where none runs, at the acknowledgement."""
        waiter: Waiter[None] = Waiter()
        self._node.sender.send(key, payload, waiter)
        await waiter

    async def _read(self) -> None:
        """Returns once this process reads."""
        if not self._node.is_reading:
            waiter: Waiter[None] = Waiter()
            self._node.start_reading(waiter)
            await waiter

    async def _follow(self) -> None:
        """Returns once this process knows the state of the normal channels."""
        await self._read()
        node = self._node
        if node.following.is_agreed:
            return
        waiter: Waiter[None] = Waiter()
        with node.lock:
            if node.following.is_agreed:
                return
            node.following.begin(time.monotonic(), waiter)
        try:
            async with asyncio.timeout(self.send_timeout):
                await waiter
        except TimeoutError as error:
            raise KafkaUnavailable("the state of the normal channels could not be learned in time") from error
        finally:
            with node.lock:
                node.following.forget(waiter)

    async def _receive_specific(self, channel: str) -> bytes:
        node = self._node
        while True:
            with node.lock:
                body = node.mailboxes.take(channel, time.monotonic())
                if body is not None:
                    return body
                waiter: Waiter[None] = Waiter()
                node.mailboxes.wait(channel, waiter, time.monotonic())
            try:
                await waiter
            except BaseException:  # cancelled, mostly; the next `receive` gets what came meanwhile
                with node.lock:
                    node.mailboxes.leave(channel, waiter, time.monotonic())
                raise

    async def _receive_normal(self, channel: str) -> bytes:
        await self._follow()
        node = self._node
        with node.lock:
            offer = node.following.offer(channel, time.monotonic())
        try:
            await offer.waiter
        except BaseException:  # cancelled, mostly; a message that was matched meanwhile goes back
            with node.lock:
                node.following.cancel(offer)
            raise
        assert offer.message is not None
        assert offer.message.body is not None
        return offer.message.body

    def _leave_to_parent(self) -> None:
        """Begins anew in a forked child. What the parent's node holds must not be closed, nor freed, in the child."""
        self._making = threading.Lock()
        node = self._let_go()
        if node is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(node))


def _capacities(layer: KafkaChannelLayer) -> Callable[[str], int]:
    """Returns the layer's `get_capacity`, without keeping the layer: it is closed once nobody has it."""
    method, default = weakref.WeakMethod(layer.get_capacity), layer.capacity

    def capacity_of(channel: str) -> int:
        get_capacity = method()
        return default if get_capacity is None else get_capacity(channel)

    return capacity_of


def _pack(message: dict[str, Any]) -> bytes:
    if not isinstance(message, dict):
        raise TypeError("a message is a dict")
    body = records.pack_message(message)
    if len(body) > MESSAGE_BYTES_MOST:
        raise MessageTooLarge(f"a message has at most {MESSAGE_BYTES_MOST} bytes when encoded, not {len(body)}")
    return body


def _close_apart(node: Node) -> None:
    """Closes a collected layer's node on a new thread: the collector may run on one of the node's, amid its locks."""
    threading.Thread(target=node.close, name="channels-kafka-close").start()


def _close_all() -> None:
    """Closes all layers as the process ends, when no thread can be started any more."""
    for layer in tuple(_layers):
        node = layer._let_go()  # noqa: SLF001 - one module
        if node is not None:
            node.close()


def _after_fork() -> None:
    for layer in tuple(_layers):
        layer._leave_to_parent()  # noqa: SLF001 - one module


atexit.register(_close_all)
os.register_at_fork(after_in_child=_after_fork)
