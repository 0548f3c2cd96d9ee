"""A cheap HTTP/1.1 client on a kept connection, one request at a time, so that the server is measured."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

_ANSWER_S: Final = 30.0


class HttpConnection:
    """A connection of one person to an api. Not shared between tasks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader, self._writer, self._head = reader, writer, head

    @classmethod
    async def open(cls, host: str, port: int, token: str) -> "HttpConnection":
        reader, writer = await asyncio.open_connection(host, port)
        head = f"Host: {host}:{port}\r\nAuthorization: Bearer {token}\r\nAccept: application/json\r\n"
        return cls(reader, writer, head.encode())

    async def get(self, path: str) -> tuple[int, bytes]:
        """Returns status and body."""
        return await self._ask(b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), self._head))

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Returns status and body."""
        content = json.dumps(body).encode()
        return await self._ask(
            b"POST %b HTTP/1.1\r\n%bContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (path.encode(), self._head, len(content), content)
        )

    def close(self) -> None:
        self._writer.close()

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        async with asyncio.timeout(_ANSWER_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            return status_of(head), await self._reader.readexactly(length_of(head.split(b"\r\n")))


def status_of(head: bytes) -> int:
    """Returns the status of a response's first line."""
    return int(head.split(b" ", 2)[1])


def length_of(lines: Sequence[bytes]) -> int:
    """Returns the length of a response's body; the servers here never send it in chunks."""
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
