"""Joins the parts of a gateway that serve all of its connections."""

import asyncio
from dataclasses import dataclass

from django.conf import settings
from prometheus_client import REGISTRY

from klatsch.archive.progress import ReachableProgress
from klatsch.core.bucket import Buckets
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.models import Epoch
from klatsch.gateway.arrivals import Arrivals
from klatsch.gateway.changing import Changing
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.gauges import GatewayGauges
from klatsch.gateway.feed.lag import Lag
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.handshake import SessionCookie
from klatsch.gateway.hub import Hub
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.lookups import Lookups
from klatsch.gateway.marking import MarkOp
from klatsch.gateway.opening import Opening
from klatsch.gateway.recheck import Recheck
from klatsch.gateway.replay import Replays
from klatsch.gateway.replay_limits import ReplayLimits
from klatsch.gateway.replies import Replies
from klatsch.gateway.resume_marks import ResumeMarks
from klatsch.gateway.resuming import Resuming
from klatsch.gateway.sending import Sending
from klatsch.messaging.marking import Marking
from klatsch.processes import wiring
from klatsch.processes.gateway_start import Start


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """Parts that live as long as the process and serve all of its connections."""

    hub: Hub
    feed: Feed
    opening: Opening
    resume_marks: ResumeMarks
    recheck: Recheck
    sending: Sending
    changing: Changing
    marking: Marking
    mark_op: MarkOp
    arrivals: Arrivals
    resuming: Resuming
    tokens: Tokens


def build_gateway(
    *,
    epoch: Epoch,
    start: Start,
    writer: KafkaWriter,
    tail: KafkaTail,
    lookups: Lookups,
    database: DatabaseThreads,
    progress: ReachableProgress,
    rates: Buckets,
    loop: asyncio.AbstractEventLoop,
) -> GatewayParts:
    """Returns the parts, joined. The feed begins where `start` says, and reads nothing yet."""
    env = settings.ENV
    hub, pending = Hub(), Pending()
    ring = Ring(epoch.partitions, env["KLATSCH_RING_SECONDS"], wiring.clock_ms())
    marking = wiring.marking(writer)
    feed = Feed(
        epoch=epoch.epoch,
        offsets=start.begin,
        hub=hub,
        pending=pending,
        ring=ring,
        recent_bytes=env["KLATSCH_RING_BYTES"],
        recent_from=start.recent,
        settled=start.settled,
        markers=marking,
    )
    REGISTRY.register(GatewayGauges(feed, pending, ring, tail.watch.known_ends, wiring.clock_ms))
    for standing in start.standings:
        feed.memberships.load(standing)
    sending = Sending(
        hub=hub,
        feed=feed,
        pending=pending,
        log=writer,
        lookups=lookups,
        replies=Replies(feed, database, progress, env["KLATSCH_ARCHIVE_WAIT_MS"] / 1_000),
        clock=wiring.clock_ms,
        fresh_since_ms=epoch.fresh_since_ms,
        answer_s=env["KLATSCH_ANSWER_DEADLINE_MS"] / 1_000,
        rates=rates,
        lag=Lag(feed, tail.watch.known_ends),
        on_loop=loop.call_soon_threadsafe,
    )
    changing = Changing(
        feed=feed,
        sending=sending,
        log=writer,
        database=database,
        progress=progress,
        clock=wiring.clock_ms,
        fresh_since_ms=epoch.fresh_since_ms,
        wait_s=env["KLATSCH_ARCHIVE_WAIT_MS"] / 1_000,
        edit_window_s=env["KLATSCH_EDIT_WINDOW_SECONDS"],
    )
    recheck = Recheck(
        database, every_s=env["KLATSCH_RECHECK_SECONDS"], give_up_s=env["KLATSCH_RECHECK_GIVE_UP_MINUTES"] * 60
    )
    opening, tokens = Opening(sending.is_behind), Tokens(feed, settings.SECRET_KEY)
    arrivals = Arrivals(
        hub=hub,
        opening=opening,
        database=database,
        recheck=recheck,
        cookie=SessionCookie(settings.SESSION_COOKIE_NAME, env["KLATSCH_ORIGINS"]),
        outbox_bytes=env["KLATSCH_OUTBOX_BYTES"],
    )
    limits = ReplayLimits(env["KLATSCH_REPLAY_CONVERSATION"], env["KLATSCH_REPLAY_ALL"])
    resuming = Resuming(
        feed=feed,
        tokens=tokens,
        replays=Replays(feed, tokens, database, limits),
        clock=wiring.clock_ms,
        mark_s=env["KLATSCH_MARK_SECONDS"],
    )
    return GatewayParts(
        hub=hub,
        feed=feed,
        opening=opening,
        resume_marks=ResumeMarks(hub, tokens),
        recheck=recheck,
        sending=sending,
        changing=changing,
        marking=marking,
        mark_op=MarkOp(hub=hub, feed=feed, marking=marking, lookups=lookups),
        arrivals=arrivals,
        resuming=resuming,
        tokens=tokens,
    )
