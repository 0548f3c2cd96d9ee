"""The gateway process: WebSockets, fed by the log, and REST on the same port."""

import asyncio
import contextlib
import gc
import socket
import time
from collections.abc import Callable
from typing import Any

import structlog
import uvicorn
import uvloop
from django.conf import settings

from klatsch.accounts.hashing import hashing_slots
from klatsch.api.checks import Checks
from klatsch.api.health import Readiness, check_database, check_log, check_migrations
from klatsch.api.ports import Ports, WithPorts
from klatsch.api.requests import Handler
from klatsch.asgi import build_application
from klatsch.core.caps import AtOnce
from klatsch.core.errors import RateLimited
from klatsch.core.failures import end_on_uncaught, log_loop_failure
from klatsch.core.hangup import end_on_hangup
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.log import LogError
from klatsch.eventlog.models import Epoch
from klatsch.gateway.allowance import Allowances
from klatsch.gateway.background import run_in_background
from klatsch.gateway.connection import ChatConnection
from klatsch.gateway.database import DatabaseThreads, with_fresh_connections
from klatsch.gateway.draining import drain
from klatsch.gateway.feed.bridge import Feeding
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.http.app import GatewayHttp, Together
from klatsch.gateway.http.bounded import BoundedHttp
from klatsch.gateway.http.door import Door
from klatsch.gateway.http.sync import Sync
from klatsch.gateway.keepalive import TURN_S, Keepalive
from klatsch.gateway.language.protocol import FRAME_BYTES_MOST
from klatsch.gateway.lookups import Lookups
from klatsch.gateway.serving import Server, listen
from klatsch.gateway.signals.signals import SignalTimes
from klatsch.gateway.socket import ChatSocket
from klatsch.messaging.marking import FLUSH_EVERY_S
from klatsch.postgres.base import ANSWER_S, BoundedConnection
from klatsch.processes import wiring
from klatsch.processes.gateway_parts import GatewayParts, build_gateway
from klatsch.processes.gateway_signals import GatewaySignals, build_signals
from klatsch.processes.gateway_start import plan_start
from klatsch.records.judge import PRUNE_EVERY_S

_log = structlog.get_logger(__name__)
_DATABASE_THREADS = 8
_DATABASE_WAITING_MOST = 10_000
_LOOKUP_THREADS = 4
_LOOKUPS_WAITING_MOST = 1_000
_DATABASE_DEADLINE_S = 10.0
_TICK_S = 0.5
_KEEP_ALIVE_S = 75
"""The lifetime of an idle HTTP connection, longer than that of clients and balancers (5 to 60 s).

The side that sends the next request must close first; otherwise a request meets a closing connection.
"""
_CLOSE_S = 2.0
"""The time to finish requests in progress and to send queued records."""


def run(*, host: str, port: int, times: SignalTimes | None = None) -> None:
    """Serves until SIGTERM, SIGHUP or SIGINT; raises LogError or OSError when it cannot start."""
    end_on_uncaught()
    end_on_hangup()
    BoundedConnection.answer_s = ANSWER_S
    epoch = wiring.known_log()
    listening = listen(host, port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(log_loop_failure)
        runner.run(_serve(epoch, listening, times or SignalTimes()))


async def _serve(epoch: Epoch, listening: socket.socket, times: SignalTimes) -> None:
    loop = asyncio.get_running_loop()
    failures: list[BaseException] = []

    def fail(error: BaseException) -> None:
        failures.append(error)
        # Nothing is acknowledged any more, over sockets or REST: the topic may not be the log any more.
        feeding.halt()
        reporting.refuse()
        server.should_exit = True

    def failed(error: LogError) -> None:
        _log.error("log_failed", error=str(error))
        loop.call_soon_threadsafe(fail, error)

    tail = wiring.log_tail(epoch.partitions)
    start = await asyncio.to_thread(plan_start, tail, epoch)
    writer = wiring.log_writer(tail, epoch.partitions, reports="errors", failed=failed)
    reporting = wiring.log_writer(tail, epoch.partitions, failed=failed)
    progress = wiring.archive_progress()
    database = DatabaseThreads(_DATABASE_THREADS, _DATABASE_WAITING_MOST, _DATABASE_DEADLINE_S)
    lookups = Lookups(
        DatabaseThreads(_LOOKUP_THREADS, _LOOKUPS_WAITING_MOST, _DATABASE_DEADLINE_S),
        reporting,
        tail,
        progress,
        settings.ENV["KLATSCH_ARCHIVE_WAIT_MS"] / 1_000,
    )
    rates = wiring.rates()
    parts = build_gateway(
        epoch=epoch,
        start=start,
        writer=writer,
        tail=tail,
        lookups=lookups,
        database=database,
        progress=progress,
        rates=rates,
        loop=loop,
    )
    signals = build_signals(parts.hub, parts.feed, lookups, times)
    feeding = Feeding(
        feed=parts.feed,
        hub=parts.hub,
        opening=parts.opening,
        ends=start.ends,
        clock=wiring.clock_ms,
        failed=failed,
    )
    server = Server(
        _server_config(
            _application(parts, signals, wiring.ports(epoch, reporting, tail, progress, rates, parts.marking))
        ),
        lambda: drain(parts.opening, parts.hub, parts.resume_marks, settings.ENV["KLATSCH_DRAIN_SECONDS"]),
    )
    # The present objects stay. A full garbage collection that scans them would hold the event loop for 50 ms.
    gc.collect()
    gc.freeze()
    tail.start(start.begin, feeding.deliver, failed)
    feeding.deliver([])  # marks an empty log as read
    watch = wiring.topic_watch(epoch, failed)
    ticking = [
        run_in_background(_every(_TICK_S, parts.sending.tick), "tick", fail),
        run_in_background(_every(settings.ENV["KLATSCH_MARK_SECONDS"], parts.resume_marks.push_all), "marks", fail),
        run_in_background(_every(TURN_S, ChatSocket.keepalive.ping_some), "pings", fail),
        run_in_background(_every(FLUSH_EVERY_S, lambda: parts.marking.flush(time.monotonic())), "markers", fail),
        run_in_background(parts.recheck.run(), "recheck", fail),
        run_in_background(_prune(tail, parts.feed), "prune", fail),
        *([signals.start(fail)] if signals else []),
    ]
    try:
        await server.serve([listening])
    finally:
        feeding.stopping = True
        for task in ticking:
            task.cancel()
        if signals:
            await signals.stop()
        await asyncio.to_thread(watch.stop)
        await asyncio.to_thread(tail.stop)
        parts.marking.drain(time.monotonic())
        await asyncio.to_thread(writer.close, _CLOSE_S)
        await asyncio.to_thread(reporting.close, _CLOSE_S)
        database.close()
        lookups.close()
        progress.close()
        await asyncio.to_thread(wiring.close_pool)
    if failures:
        raise failures[0]


def _application(parts: GatewayParts, signals: GatewaySignals | None, ports: Ports) -> Any:
    """Returns the ASGI application: the WebSocket, and HTTP with the REST API in threads."""
    env = settings.ENV
    requests = wiring.request_rates()
    api = WithPorts(Handler(), lambda _: ports, requests)

    checks = {"database": check_database, "migrations": check_migrations, "log": lambda: check_log(ports)}
    readiness = Readiness()
    asking = Together(lambda: asyncio.to_thread(with_fresh_connections, lambda: readiness.find_not_ready(checks)))

    async def ready() -> dict[str, str]:
        return parts.opening.not_ready() | await asking.result()

    sockets = _at_once_each("sockets")
    sync = Sync(
        arrivals=parts.arrivals,
        resuming=parts.resuming,
        tokens=parts.tokens,
        sockets=sockets,
        polls=_at_once_each("polls"),
        requests=requests,
        stall_s=env["KLATSCH_STALL_SECONDS"],
        cors_origins=env["KLATSCH_CORS_ORIGINS"],
    )
    http = GatewayHttp(
        wsgi=api,
        threads=env["KLATSCH_API_THREADS"],
        slots=hashing_slots(),
        ready=ready,
        fold=parts.sending.fold,
        metrics_token=env["KLATSCH_METRICS_TOKEN"],
        sync=sync,
    )
    connection = ChatConnection.as_asgi(
        arrivals=parts.arrivals,
        sockets=sockets,
        resuming=parts.resuming,
        sending=parts.sending,
        changing=parts.changing,
        requests=requests,
        marking=parts.mark_op,
        allowances=Allowances(env["KLATSCH_MESSAGES_PER_SECOND"]),
        signals=signals.requests if signals else None,
    )
    return build_application(connection, Door(http, Checks()))


def _server_config(application: Any) -> uvicorn.Config:
    ChatSocket.stall_s = settings.ENV["KLATSCH_STALL_SECONDS"]
    ChatSocket.keepalive = Keepalive(settings.ENV["KLATSCH_PING_SECONDS"])
    return uvicorn.Config(
        application,
        ws=ChatSocket,
        http=BoundedHttp,
        interface="asgi3",
        lifespan="off",
        ws_max_size=FRAME_BYTES_MOST,
        ws_per_message_deflate=False,
        ws_ping_interval=None,  # see `gateway.keepalive`
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(_CLOSE_S),
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,  # uvicorn trusts any X-Forwarded-For of a local peer; see accounts.limits
    )


def _at_once_each(cap: str) -> AtOnce:
    """Returns the cap on a person's sockets, or polls."""
    most = settings.ENV["KLATSCH_CONNECTIONS_PER_PERSON"]
    return AtOnce(most, cap=cap, refusal=RateLimited, detail=f"You have too many {cap} open. Close some first.")


async def _prune(tail: KafkaTail, feed: Feed) -> None:
    """Forgets, periodically, removals that are older than the log, like the persisters."""
    while True:
        await asyncio.sleep(PRUNE_EVERY_S)
        with contextlib.suppress(LogError):
            feed.memberships.prune(await asyncio.to_thread(tail.offsets_at, 0))


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()
