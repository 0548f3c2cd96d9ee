"""Compares the clients' records with the archive: what was lost, and what was shown twice."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.storm.record import Place, Record, Stream


@dataclass(frozen=True, slots=True)
class Archived:
    """An archived message."""

    id: str
    client_id: str
    sender: str
    place: Place


@dataclass(slots=True)
class Account:
    """The result. Each list names contradictions; `again` is what the protocol allows and clients drop by id.

    `lost`: a message that its receiver was never told of, an acknowledged one that the archive has not, a send that
    never was answered. `doubled`: shown twice on one connection, or below the token that was presented. `strange`:
    shown to somebody who neither wrote nor was written to, or not in the archive at all.
    """

    owed: int = 0
    told: int = 0
    again: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def settle(records: Iterable[Record], archive: Sequence[Archived]) -> Account:
    """Returns the account of a run whose clients have everything they are owed, and whose archive has caught up."""
    account = Account()
    by_sender: dict[str, list[Archived]] = {}
    for message in archive:
        by_sender.setdefault(message.sender, []).append(message)
    by_id = {message.id: message for message in archive}
    for record in records:
        _settle_sends(account, record, by_sender.get(record.username, []))
        _settle_owed(account, record, by_sender.get(record.peer, []))
        for number, stream in enumerate(record.streams, 1):
            _settle_stream(account, f"{record.username}, connection {number}", stream, record, by_id)
    return account


def _settle_sends(account: Account, record: Record, archived: Sequence[Archived]) -> None:
    by_client_id: dict[str, list[Archived]] = {}
    for message in archived:
        by_client_id.setdefault(message.client_id, []).append(message)
    for client_id in record.sent:
        there = by_client_id.get(client_id, [])
        if client_id not in record.acknowledged:
            account.lost.append(f"{record.username}: never answered: {client_id}")
        elif not there:
            account.lost.append(f"{record.username}: acknowledged, and not in the archive: {client_id}")
        elif there[0].id != record.acknowledged[client_id]:
            account.strange.append(f"{record.username}: acknowledged under another id: {client_id}")
        if len(there) > 1:
            account.doubled.append(f"{record.username}: in the archive {len(there)} times: {client_id}")


def _settle_owed(account: Account, record: Record, archived: Sequence[Archived]) -> None:
    """Counts what a client is owed: the peer's messages since its first mark, also after a reset: no client reloads."""
    marked = next((stream for stream in record.streams if stream.marked_at is not None), None)
    if marked is None:
        account.lost.append(f"{record.username}: never had a mark")
        return
    told = {shown.id for stream in record.streams for shown in stream.shown}
    for message in archived:
        if message.place.offset >= marked.base[message.place.partition]:
            account.owed += 1
            if message.id in told:
                account.told += 1
            else:
                account.lost.append(f"{record.username}: never shown: {message}")


def _settle_stream(
    account: Account, name: str, stream: Stream, record: Record, archive: Mapping[str, Archived]
) -> None:
    here: set[str] = set()
    before = _told_before(record, stream)
    for shown in stream.shown:
        message = archive.get(shown.id)
        if message is None or message.sender not in {record.username, record.peer}:
            account.strange.append(f"{name}: shown, and not theirs or not archived: {shown}")
        elif shown.place is not None and shown.place != message.place:
            account.strange.append(f"{name}: shown at another place than {message.place}: {shown}")
        elif shown.id in here:
            account.doubled.append(f"{name}: shown twice: {shown}")
        elif stream.presented is not None and message.place.offset < stream.presented[message.place.partition]:
            account.doubled.append(f"{name}: shown again, below the presented token: {shown}")
        elif shown.id in before:
            if stream.repeats:
                account.again += 1
            else:
                account.doubled.append(f"{name}: shown again, though its token was advanced: {shown}")
        here.add(shown.id)


def _told_before(record: Record, until: Stream) -> set[str]:
    told: set[str] = set()
    for stream in record.streams:
        if stream is until:
            break
        told.update(shown.id for shown in stream.shown)
    return told
