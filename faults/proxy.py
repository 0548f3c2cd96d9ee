"""The network between clients and one gateway: a TCP proxy that can cut, hold back, delay and go silent."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_PIECE_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # linger for no time: what is closed is reset
_ENDS = (OSError, RuntimeError)  # uvloop raises the latter for what has just been closed


@dataclass(eq=False)
class Link:
    """A client's connection, and its other half to the gateway."""

    client: asyncio.StreamWriter
    gateway: asyncio.StreamWriter | None = None
    reads_on: asyncio.Event = field(default_factory=asyncio.Event)
    is_dead: bool = False
    ended_by_gateway: asyncio.Event = field(default_factory=asyncio.Event)

    def stop_reading(self) -> None:
        """Stops reading the gateway's bytes, which fill the kernel's buffers."""
        self.reads_on.clear()

    def die(self) -> None:
        """Goes silent in both directions, without telling the gateway."""
        self.is_dead = True

    def cut(self) -> None:
        """Resets both halves."""
        for writer in (self.client, self.gateway):
            if writer is not None and not writer.transport.is_closing():
                with contextlib.suppress(OSError):
                    _socket_of(writer).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()


class Proxy:
    """Listens on its own port for one gateway's port. `held_bytes` counts the bytes that it held back or delayed."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.refuses = False
        self.flows = asyncio.Event()
        self.flows.set()
        self.links: dict[int, Link] = {}
        self.held_bytes = 0
        self.refused = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> int:
        """Resets all open connections; returns their number."""
        links = list(self.links.values())
        for link in links:
            link.cut()
        return len(links)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writer)
        link.reads_on.set()
        number = writer.get_extra_info("peername")[1]
        self.links[number] = link
        try:
            if self.refuses:
                self.refused += 1
                link.cut()
                return
            await self.flows.wait()
            from_gateway, link.gateway = await asyncio.open_connection(sock=await self._to_gateway())
            await asyncio.gather(self._up(reader, link), self._down(from_gateway, link))
        except _ENDS:
            link.cut()
        finally:
            self.links.pop(number, None)
            for half in (link.client, link.gateway):
                if half is not None:
                    half.close()

    async def _to_gateway(self) -> socket.socket:
        """Connects to the gateway with a small kernel buffer, so that a client that stops reading is noticed soon."""
        raw = socket.socket()
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(raw, (HOST, self._target_port))
        except BaseException:  # also when the run ends
            raw.close()
            raise
        return raw

    async def _up(self, reader: asyncio.StreamReader, link: Link) -> None:
        assert link.gateway is not None
        while piece := await reader.read(_PIECE_BYTES):
            await self._hold(len(piece))
            if not link.is_dead:
                link.gateway.write(piece)
                await link.gateway.drain()
        await self.flows.wait()
        if link.is_dead:
            await link.ended_by_gateway.wait()
        elif link.gateway.can_write_eof():
            link.gateway.write_eof()

    async def _down(self, reader: asyncio.StreamReader, link: Link) -> None:
        try:
            while piece := await reader.read(_PIECE_BYTES):
                await self._hold(len(piece))
                await link.reads_on.wait()
                if not link.is_dead:
                    link.client.write(piece)
                    await link.client.drain()
        finally:
            link.ended_by_gateway.set()
        await self.flows.wait()
        link.client.close()

    async def _hold(self, count: int) -> None:
        if not self.flows.is_set():
            self.held_bytes += count
            await self.flows.wait()
        if self.delay_s:
            self.held_bytes += count
            await asyncio.sleep(self.delay_s)


def _socket_of(writer: asyncio.StreamWriter) -> socket.socket:
    found: socket.socket = writer.get_extra_info("socket")
    return found
