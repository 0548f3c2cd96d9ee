"""ejabberd as a peer: XMPP over WebSocket (RFC 7395), with the archive of mod_mam in PostgreSQL.

A's answer is the server's acknowledgement (XEP-0198), which A asks for after each message. People sign in with a
password from the database, before the clock runs. Debian's driver has no Unix sockets, which the embedded PostgreSQL
alone listens on. So ejabberd gets a PostgreSQL of its own: the same binaries and settings, and TCP besides.
"""

import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import psycopg

from bench.archive import read_number, wait_for
from bench.client import Door, Socket, open_door
from bench.peers.asking import ask
from bench.peers.programs import HOST, Program, find_program, version_of
from bench.servers import read_postgres
from bench.systems import TEXT, NotInstalled, OpenPair
from klatsch.embedded import child
from klatsch.embedded.postgres import EmbeddedPostgres

_HOW: Final = "sudo apt-get install ejabberd erlang-p1-pgsql, or as root `make bench-peers`"
_SCHEMA: Final = Path("/usr/share/ejabberd/sql/pg.sql")
_DOMAIN: Final = "localhost"
_PASSWORD: Final = "only-for-this-run"  # noqa: S105 - of people who live for one run
_POOL: Final = 10
_CONFIG: Final = """\
hosts: [{domain}]
loglevel: error
certfiles: []
auth_method: [sql]
auth_password_format: plain
default_db: sql
sql_type: pgsql
sql_server: "{host}"
sql_port: {sql_port}
sql_database: klatsch
sql_username: bench
sql_password: "{password}"
sql_pool_size: {pool}
sql_prepared_statements: true
listen:
  -
    port: {port}
    ip: "{host}"
    module: ejabberd_http
    request_handlers:
      /ws: ejabberd_http_ws
modules:
  mod_mam:
    db_type: sql
    default: always
    request_activates_archiving: false
  mod_stream_mgmt:
    max_ack_queue: infinity
"""


class EjabberdDialect:
    """Messages with their number as `id`, each followed by a request for an acknowledgement."""

    def __init__(self, to: str) -> None:
        self._to = to.encode()
        self._text = TEXT.encode()

    def send(self, a: Socket, number: int) -> None:
        a.send(
            b"<message xmlns='jabber:client' to='%b' id='%d' type='chat'><body>%b</body></message>"
            % (self._to, number, self._text)
        )
        a.send(b"<r xmlns='urn:xmpp:sm:3'/>")

    def answer(self, payload: bytes) -> int:
        """Returns the count of the acknowledgement: the stanzas since it was enabled, which are the messages."""
        if payload.startswith(b"<a "):
            return _attribute(payload, b"h")
        if payload.startswith(b"<message") and b"type='error'" in payload:
            return -_attribute(payload, b"id")
        return 0

    def delivery(self, payload: bytes) -> int:
        if payload.startswith(b"<message") and b"<body>" in payload:
            return _attribute(payload, b"id")
        return 0


class Ejabberd:
    """One ejabberd node that is not distributed, and its PostgreSQL."""

    name = "ejabberd"
    kinds: Sequence[str] = ("ejabberd", "own postgres")
    keeps = "archive: two rows of each message, one for each of the two people"

    def __init__(self) -> None:
        self._erl = find_program("erl", _HOW)
        find_program("ejabberdctl", _HOW)
        installed = next(Path("/usr/lib").glob("*/ejabberd-*"), None)  # below a folder for the machine's architecture
        if installed is None or not _SCHEMA.exists():
            raise NotInstalled(f"ejabberd's libraries or {_SCHEMA} are missing: {_HOW}")
        self._libraries = str(installed.parent)
        self._server = Program("ejabberd")
        self._sql_port = child.free_ports(1)[0]
        self._postgres = EmbeddedPostgres(
            self._server.folder / "postgres", changed={"listen_addresses": HOST, "port": str(self._sql_port)}
        )
        self._open = ExitStack()
        self._names: list[str] = []

    @property
    def _url(self) -> str:
        return f"{self._postgres.url}&port={self._sql_port}"

    def start(self) -> None:
        self._open.callback(self._server.end)
        self._open.callback(self._postgres.stop)
        self._start_postgres()
        file = self._server.folder / "ejabberd.yml"
        values = {"domain": _DOMAIN, "host": HOST, "port": self._server.port, "sql_port": self._sql_port}
        file.write_text(_CONFIG.format(password=_PASSWORD, pool=_POOL, **values), encoding="utf-8")
        env = {
            "HOME": str(self._server.folder),
            "PATH": os.environ["PATH"],
            "ERL_LIBS": self._libraries,
            "EJABBERD_CONFIG_PATH": str(file),
            "EJABBERD_LOG_PATH": str(self._server.folder / "ejabberd.log"),
            "ERL_CRASH_DUMP_BYTES": "0",
        }
        spool = self._server.folder / "spool"
        self._server.start(
            [self._erl, "-noinput", "+K", "true", "+P", "250000", "-mnesia", "dir", f'"{spool}"', "-s", "ejabberd"], env
        )

    def _start_postgres(self) -> None:
        """Starts the server, and lets the one role `bench` in over TCP, with its password."""
        self._postgres.prepare()
        access = self._postgres.data / "cluster" / "pg_hba.conf"
        access.write_text(f"local all all trust\nhost all bench {HOST}/32 scram-sha-256\n", encoding="ascii")
        self._postgres.start()
        self._postgres.wait_ready()
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE bench LOGIN SUPERUSER PASSWORD '{_PASSWORD}'".encode())
            connection.execute(_SCHEMA.read_bytes())

    def stop(self) -> None:
        self._open.close()

    def settings(self) -> Mapping[str, str]:
        return {
            "ejabberd": version_of(["dpkg-query", "--show", "--showformat=${Version}\n", "ejabberd"]),
            "auth": "sql, plain passwords",
            "mod_mam": "sql, default always",
            "mod_stream_mgmt": "each message acknowledged",
            "sql_pool_size": str(_POOL),
            "sql_prepared_statements": "true",
            **read_postgres(self._url),
        }

    def processes(self) -> Mapping[int, str]:
        postgres = self._postgres.process
        return {self._server.pid: "ejabberd", **({postgres.pid: "own postgres"} if postgres is not None else {})}

    async def open_pairs(self, count: int) -> Sequence[OpenPair]:
        run = secrets.token_hex(4)
        self._names = [f"bench-{run}-{number}" for number in range(2 * count)]
        with psycopg.connect(self._url) as connection, connection.cursor() as cursor:
            people = [(name, _PASSWORD) for name in self._names]
            cursor.executemany("INSERT INTO users (username, password) VALUES (%s, %s)", people)
        return [await self._open_pair(a, b) for a, b in zip(self._names[::2], self._names[1::2], strict=True)]

    async def _open_pair(self, sender: str, receiver: str) -> OpenPair:
        a, _ = await self._sign_in(sender)
        b, to = await self._sign_in(receiver)
        await ask(b, b"<presence xmlns='jabber:client'/>", lambda came: came.startswith(b"<presence"))
        await ask(a, b"<enable xmlns='urn:xmpp:sm:3'/>", lambda came: came.startswith(b"<enabled"))
        return OpenPair(a, b, EjabberdDialect(to))

    async def _sign_in(self, name: str) -> tuple[Socket, str]:
        """Returns a connection and its full address."""
        socket = await open_door(Door(HOST, self._server.port, "/ws", protocol="xmpp"))
        opening = f"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='{_DOMAIN}' version='1.0'/>".encode()
        await ask(socket, opening, lambda came: b"mechanism" in came)
        secret = base64.b64encode(f"\0{name}\0{_PASSWORD}".encode()).decode()
        sasl = f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
        answer = await ask(socket, sasl.encode(), lambda came: came.startswith((b"<success", b"<failure")))
        if not answer.startswith(b"<success"):
            raise SystemExit(f"ejabberd refused to sign in: {answer.decode()}")
        await ask(socket, opening, lambda came: b"xmpp-bind" in came)
        bind = b"<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        bound = await ask(socket, bind, lambda came: b"<jid>" in came)
        return socket, bound.split(b"<jid>", 1)[1].split(b"</jid>", 1)[0].decode()

    def wait_archived(self, expected: int) -> None:
        wait_for(self._url, "SELECT coalesce(max(id), 0) FROM archive", (), 2 * expected)

    def count_archived(self) -> int | None:
        """Returns the number of messages in their senders' archives."""
        senders = self._names[::2]
        return read_number(self._url, "SELECT count(*) FROM archive WHERE username = ANY(%s)", (senders,))


def _attribute(payload: bytes, name: bytes) -> int:
    """Returns a number in a stanza's first attribute of that name."""
    at = payload.index(b" " + name + b"='") + len(name) + 3
    return int(payload[at : payload.index(b"'", at)])
