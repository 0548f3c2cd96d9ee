"""A client that speaks raw frames by protocol.md: it resumes, says again what had no answer, loads what is reset, and
writes down all of it.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from faults import history
from faults.folding import CHANGES, body_of, state_of
from faults.history import History, Token, hash_of, place
from faults.person import Person
from faults.proxy import HOST, Link, Proxy
from faults.reloading import Reloading
from faults.rest import Rest
from faults.sends import Change, Send, Sends
from faults.view import View

_OPEN_S = 4.0
SILENCE_S = 6.0
"""The time after which a silent gateway, or one that leaves a send unanswered, is given up. Marks come every 2 s."""
_HALF = 0.5
_NOT_AUTHENTICATED = 4401
_AGAIN = {"unknown", "unavailable", "rate_limited", "not_archived_yet"}
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Client:
    """A person's device. Its history holds what it did and saw; the counters are for the ledger."""

    def __init__(
        self, name: str, person: Person, proxies: Sequence[Proxy], home: int, written: History, rest: Rest
    ) -> None:
        self.name = name
        self.person = person
        self.home = home
        self.history = written
        self.sends = Sends()
        self.view = View(person.username)
        self.reloading = Reloading(person, written, rest, self.view)
        self.advances = random.random() < _HALF  # its token by the pushes that it gets, as it may
        self.is_patient = False  # waits for ever on a connection on which nothing comes
        self.connection = 0
        self.token: str | None = None
        self.socket: ClientConnection | None = None
        self.at: int = home
        self.is_ready = False
        self.acknowledged = 0
        self.acknowledged_at = 0.0
        self.acknowledged_begun_at = 0.0  # when the last send left that was acknowledged, and was no repeat
        self.slowest_s = 0.0
        self.counts: Counter[str] = Counter()
        self.closes: list[tuple[float, int, int | None]] = []
        self.stopping = False
        self._proxies = proxies
        self.rest = rest
        self._heard_at = 0.0

    async def run(self) -> None:
        """Stays connected until `stopping`."""
        while not self.stopping:
            try:
                await self._connect_once()
            except (OSError, TimeoutError, InvalidHandshake, InvalidMessage, ConnectionClosed, EOFError):
                self.counts["failed to connect"] += 1
            else:
                if self.closes[-1][2] == _NOT_AUTHENTICATED:
                    await self._sign_in()
            await asyncio.sleep(random.uniform(0.02, 0.25))
            self.at = (self.at + 1) % len(self._proxies) if self.at == self.home else self.home

    @property
    def link(self) -> Link | None:
        """Returns the proxy's present connection."""
        if self.socket is None:
            return None
        return self._proxies[self.at].links.get(self.socket.transport.get_extra_info("sockname")[1])

    async def _connect_once(self) -> None:
        proxy = self._proxies[self.at]
        socket = await connect(
            f"ws://{HOST}:{proxy.port}/ws",
            subprotocols=[Subprotocol("klatsch.v1")],
            additional_headers={"Authorization": f"Bearer {self.person.token}"},
            compression=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            proxy=None,
            open_timeout=_OPEN_S,
            close_timeout=0.5,
        )
        self.socket = socket
        self.connection += 1
        self.reloading.presented = None if self.token is None else Token.parse(self.token)
        self.history.write(history.Connected(_now(), self.connection, str(self.at), self.token))
        self._heard_at = _now()
        watching = asyncio.create_task(self._watch(socket))
        try:
            await socket.send(_encode({"id": 1, "op": "hello", "d": {"resume": self.token}}).decode())
            async for raw in socket:
                self._heard_at = _now()
                self._take(_decode(raw))
        except ConnectionClosed:
            pass
        finally:
            watching.cancel()
            socket.transport.abort()
            self._end(socket)

    def _end(self, socket: ClientConnection) -> None:
        now = _now()
        self.is_ready = False
        self.socket = None
        code = None if socket.close_code in {None, 1006} else socket.close_code
        for send in self.sends.give_up_connection(now):
            self.history.write(history.Unanswered(now, self.connection, send.client_id))
        self.history.write(history.Closed(now, self.connection, code))
        self.closes.append((now, self.at, code))

    async def _watch(self, socket: ClientConnection) -> None:
        """Gives up a connection that has gone silent."""
        while True:
            await asyncio.sleep(0.25)
            now = _now()
            silent = now - self._heard_at > SILENCE_S or self.sends.oldest_s(now) > SILENCE_S
            if silent and not self.is_patient:
                self.counts["gave up a silent connection"] += 1
                socket.transport.abort()
                return

    def _take(self, frame: dict[str, Any]) -> None:
        kind = frame.get("t")
        if kind == "message":
            self._push(frame)
        elif kind == "mark":
            self._mark(frame["resume"])
        elif kind == "reset":
            self._reset(frame["d"])
        elif kind == "state":
            self._state(frame["d"])
        elif kind in CHANGES:
            self._delta(frame)
        elif kind is not None:
            conversation = frame.get("d", {}).get("conversation", "")
            self.history.write(history.Pushed(_now(), self.connection, kind, frame.get("pos", ""), conversation))
        elif frame["re"] == 1:
            self.counts["resumed" if frame["ok"]["resumed"] else "not resumed"] += self.token is not None
        else:
            self._answer(frame)

    def _answer(self, frame: dict[str, Any]) -> None:
        now, send = _now(), self.sends.pending.pop(frame["re"], None)
        if send is None:
            self.counts["marks" if "ok" in frame else "marks refused"] += 1
            return
        if (ok := frame.get("ok")) is not None:
            self.history.write(
                history.Answered(now, self.connection, send.client_id, ok["id"], ok["position"], ok["duplicate"])
            )
            self.view.answered(send, ok)
            send.is_accepted = True
            self.acknowledged += 1
            self.acknowledged_at = now
            if not ok["duplicate"]:
                self.acknowledged_begun_at = max(self.acknowledged_begun_at, send.invoked)
            self.counts["duplicate"] += ok["duplicate"]
            self.slowest_s = max(self.slowest_s, now - send.invoked)
            return
        error = frame["err"]
        self.counts[error["code"]] += 1
        if error["code"] == "unknown":
            self.history.write(history.Unanswered(now, self.connection, send.client_id))
        else:
            temporary = error["temporary"]
            self.history.write(history.Refused(now, self.connection, send.client_id, error["code"], temporary))
        if error["code"] in _AGAIN:
            self.sends.again(send, now + min(error.get("retry_after") or 0.2, 1.0))

    def _push(self, frame: dict[str, Any]) -> None:
        body = frame["d"]
        self.history.write(
            history.Pushed(
                _now(), self.connection, "message", frame["pos"], body["conversation"], body["id"], body["sender"],
                hash_of(body["content"]),
            )
        )  # fmt: skip
        self.view.insert(body)
        self._advance(frame["pos"])

    def _delta(self, frame: dict[str, Any]) -> None:
        what, body = frame["t"], frame["d"]
        self.counts["changes pushed"] += 1
        self.history.write(
            history.Delta(
                _now(), self.connection, frame["pos"], body["conversation"], body["id"], what, body_of(what, body)
            )
        )
        self.view.apply(frame)
        self._advance(frame["pos"])

    def _advance(self, position: str) -> None:
        if self.advances and self.is_ready and self.token is not None:
            _, partition, offset = place(position)
            self.token = _advanced(self.token, partition, offset + 1)

    def _state(self, body: dict[str, Any]) -> None:
        self.counts["states"] += 1
        if body.get("kind") == "message":
            self.history.write(
                history.Stated(
                    _now(),
                    self.connection,
                    body["position"],
                    body["conversation"],
                    body["id"],
                    hash_of(body["content"]),
                    body["changed"],
                    state_of(body).text(),
                    body["sender"],
                )
            )
            self.view.take(body)

    def _mark(self, token: str) -> None:
        self.history.write(history.Marked(_now(), self.connection, token))
        self.token = token
        self.is_ready = True

    def _reset(self, body: dict[str, Any]) -> None:
        self.counts["resets"] += 1
        self.history.write(
            history.WasReset(_now(), self.connection, body["conversations"], body["why"], body["at_least"])
        )
        for conversation in body["conversations"]:
            self.view.loading.setdefault(conversation, [])
        self.reloading.want(body["conversations"], body["at_least"])

    def go_home(self) -> None:
        """Leaves a gateway that is not its home, and resumes at home."""
        if self.is_ready and self.socket is not None and self.at != self.home:
            self.counts["went home"] += 1
            self.socket.transport.abort()

    async def say(self, send: Send) -> None:
        """Writes a send into the history, then sends it; lost connections lose it for now."""
        socket = self.socket
        assert socket is not None
        now = _now()
        frame = self.sends.begin(send, now)
        if isinstance(send, Change):
            self.history.write(
                history.Wanted(
                    now, self.connection, send.client_id, send.conversation, send.target, send.what, send.body
                )
            )
            op, body = send.op, {"message": send.target, "client_id": send.client_id, **send.fields}
        else:
            asked = (send.client_id, send.conversation, send.hash, send.named)
            self.history.write(history.Invoked(now, self.connection, *asked))
            op, body = "send", {
                "conversation": send.conversation, "client_id": send.client_id, "content": send.content
            }  # fmt: skip
        with contextlib.suppress(ConnectionClosed):
            await socket.send(_encode({"id": frame, "op": op, "d": body}).decode())

    async def mark(self, conversation: str, position: str) -> None:
        """Marks a conversation as read up to a message. Nothing is repeated: a later mark covers a lost one."""
        if self.socket is not None:
            body = {"id": self.sends.next_frame(), "op": "mark", "d": {"conversation": conversation, "read": position}}
            with contextlib.suppress(ConnectionClosed):
                await self.socket.send(_encode(body).decode())

    async def _sign_in(self) -> None:
        """Signs in again with the password, for people who have one."""
        if self.person.password:
            body = {"username": self.person.username, "password": self.person.password}
            self.person.token = (await self.rest.ask("POST", "auth/tokens", body=body))["token"]
            self.counts["signed in again"] += 1


def _advanced(token: str, partition: int, offset: int) -> str:
    parts = token.split(".")
    parts[2 + partition] = f"{partition}:{offset}"
    return ".".join(parts)


def _now() -> float:
    return time.monotonic()
