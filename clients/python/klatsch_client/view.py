"""A view for an application to show: messages, markers, typing and presence, with its own pending changes. No I/O."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from klatsch_client import deltas
from klatsch_client.callbacks import call_back
from klatsch_client.deltas import Deleted, Delta, Edited, Pinned, Reacted
from klatsch_client.drafts import Change, Draft, Marked, Marking, Sent, Unsent, highest
from klatsch_client.early import Early
from klatsch_client.events import Changed, Event, Marker, Members, Presence, Typing
from klatsch_client.messages import Message, ReplyPreview
from klatsch_client.signals import TYPING_S

_PREVIEW_CHARACTERS: Final = 200


class View:
    """The server's state, as far as it has come, and over it what one has changed and the server has not answered yet.

    A pending change is seen at once, and no more when it is refused. It is computed anew whenever one looks, so what
    others change meanwhile shows through it. Give it to one `Client`, which keeps it up to date with the events that
    are handed over. It holds `most` messages; those that came first are forgotten first. `on_change` is called with the
    conversation in which something is different, or with None for all of them.
    """

    def __init__(
        self,
        *,
        most: int = 50_000,
        on_change: Callable[[str | None], None] = lambda _conversation: None,
    ) -> None:
        self._most = most
        self._on_change = on_change
        self._monotonic_s: Callable[[], float] = float
        self._user: Callable[[], str] = str
        self._now: Callable[[], str] = str
        self._drafts: Iterable[Unsent] = ()
        self._conversations: dict[str, dict[str, Message]] = {}
        self._where: dict[str, str] = {}
        self._early = Early()
        self._directs: dict[str, str] = {}
        self._markers: dict[str, dict[str, Marker]] = {}
        self._typing: dict[tuple[str, str], float] = {}
        self._online: dict[str, bool] = {}

    def bind(
        self,
        monotonic_s: Callable[[], float],
        *,
        user: Callable[[], str],
        now: Callable[[], str],
        drafts: Iterable[Unsent],
    ) -> None:
        """Says whose view it is, what time it is, here and for the server, and what has no answer yet."""
        self._monotonic_s, self._user, self._now, self._drafts = monotonic_s, user, now, drafts

    def message(self, message_id: str) -> Message | None:
        """Returns a message as it is to be shown; None if the view does not have it."""
        message = self._get(message_id)
        changes = [one for one in self._drafts if isinstance(one, Change) and one.message == message_id]
        return None if message is None else self._shown(message, changes)

    def messages(self, conversation: str) -> list[Message]:
        """Returns the messages of a conversation that the view has, in the conversation's order."""
        changes: dict[str, list[Change]] = {}
        for one in self._drafts:
            if isinstance(one, Change):
                changes.setdefault(one.message, []).append(one)
        messages = sorted(self._conversations.get(conversation, {}).values(), key=lambda message: message.position)
        return [self._shown(message, changes.get(message.id, [])) for message in messages]

    def direct(self, username: str) -> str | None:
        """Returns the id of the direct conversation with a person, once a push of it has come."""
        return self._directs.get(username)

    def markers(self, conversation: str) -> dict[str, Marker]:
        """Returns the markers of a conversation by username. The person's own includes marks that are still pending."""
        markers = dict(self._markers.get(conversation, {}))
        for one in self._drafts:
            if isinstance(one, Marking) and one.conversation == conversation:
                mine = Marker(conversation, self._user(), one.delivered, one.read)
                markers[mine.user] = _joined(markers.get(mine.user), mine)
        return markers

    def typing(self, conversation: str) -> list[str]:
        """Returns the people who type there now, by the signals of the last 8 s."""
        now_s = self._monotonic_s()
        return [user for (where, user), until_s in self._typing.items() if where == conversation and until_s > now_s]

    def is_online(self, username: str) -> bool | None:
        """Returns True when a watched person is online, False when they are not, None while it is not known."""
        return self._online.get(username)

    def add(self, messages: Iterable[Message]) -> None:
        """Takes messages of a history: each counts unless a later change of it is here."""
        for message in messages:
            self._put(message)

    def apply(self, event: Event | Marked | None) -> None:
        """Takes an event; None says that what is pending is different."""
        conversation: str | None = None
        match event:
            case Message() as message:
                conversation = self._put(message)
                self._typing.pop((conversation, message.sender), None)
            case Changed(message):
                conversation = self._put(message)
            case Edited() | Deleted() | Reacted() | Pinned() as delta:
                conversation = self._change(delta)
            case Sent() as sent:  # unless a push has told it before, as the server has it
                known = self._get(sent.id)
                conversation = self._put(self._message_of(sent)) if known is None else known.conversation
            case Marker() as marker:
                conversation = self._raise_marker(marker)
            case Marked() as marked:
                place = marked.draft.conversation
                conversation = self._raise_marker(Marker(place, self._user(), marked.delivered, marked.read))
            case Members() as members:
                conversation = self._meet(members)
            case Typing() | Presence() as signal:
                self._signal(signal)
        call_back(self._on_change, conversation)

    def lose_connection(self) -> None:
        """Forgets who types and who is online."""
        self._typing.clear()
        self._online.clear()
        call_back(self._on_change, None)

    def _get(self, message_id: str) -> Message | None:
        return self._conversations.get(self._where.get(message_id, ""), {}).get(message_id)

    def _put(self, message: Message) -> str:
        known = self._get(message.id)
        if known is not None:
            if message.changed < known.changed:
                return known.conversation
            message = replace(message, seq=message.seq or known.seq)
        for delta in self._early.take(message.id):
            if delta.position > message.changed:
                message = delta.apply(message)
        if known is not None and known.conversation != message.conversation:
            self._forget(known.id)
        if message.receiver is not None:
            other = message.receiver if message.sender == self._user() else message.sender
            self._learn_direct(other, message.conversation)
        self._where[message.id] = message.conversation
        self._conversations.setdefault(message.conversation, {})[message.id] = message
        if message.deleted or message.edited_at is not None:
            self._quote(message.conversation, message.id, message.content, deleted=message.deleted)
        if len(self._where) > self._most:
            self._forget(next(iter(self._where)))
        return message.conversation

    def _change(self, delta: Delta) -> str | None:
        match delta:
            case Edited():
                self._quote(delta.conversation, delta.id, delta.content, deleted=False)
            case Deleted():
                self._quote(delta.conversation, delta.id, "", deleted=True)
        message = self._get(delta.id)
        if message is None:
            self._early.put(delta)
            return None
        if delta.position > message.changed:
            self._conversations[message.conversation][message.id] = delta.apply(message)
        return message.conversation

    def _quote(self, conversation: str, message_id: str, content: str, *, deleted: bool) -> None:
        """Puts what has become of a message into the answers to it."""
        messages = self._conversations.get(conversation, {})
        for answer in [one for one in messages.values() if one.reply_to == message_id]:
            preview = answer.reply_preview
            if preview is not None and not preview.deleted:
                preview = replace(preview, content=content[:_PREVIEW_CHARACTERS], deleted=deleted)
                messages[answer.id] = replace(answer, reply_preview=preview)

    def _forget(self, message_id: str) -> None:
        conversation = self._where.pop(message_id)
        messages = self._conversations[conversation]
        del messages[message_id]
        if not messages:
            del self._conversations[conversation]

    def _learn_direct(self, other: str, conversation: str) -> None:
        """Notes whose conversation it is, and puts into it what one has sent to that person before it was known."""
        if not conversation or self._directs.get(other) == conversation:
            return
        self._directs[other] = conversation
        for sent in [one for one in self._conversations.get("", {}).values() if one.receiver == other]:
            self._forget(sent.id)
            self._put(replace(sent, conversation=conversation))

    def _message_of(self, sent: Sent) -> Message:
        draft: Draft = sent.draft
        conversation = draft.conversation or self._directs.get(draft.to or "", "")
        receiver = draft.to or next((name for name, place in self._directs.items() if place == conversation), None)
        return Message(
            id=sent.id,
            client_id=draft.client_id,
            conversation=conversation,
            sender=self._user(),
            receiver=receiver,
            content=draft.content,
            sent_at=self._now(),
            position=sent.position,
            changed=sent.position,
            reply_to=draft.reply_to,
            mentions=deltas.guess_mentions(draft.content) if sent.mentions is None else sent.mentions,
        )

    def _shown(self, message: Message, changes: list[Change]) -> Message:
        original = None if message.reply_to is None else self._get(message.reply_to)
        if original is not None:
            beginning = original.content[:_PREVIEW_CHARACTERS]
            preview = ReplyPreview(original.id, original.sender, beginning, original.deleted)
            message = replace(message, reply_preview=preview)
        if message.deleted or not changes:
            return message
        shown = message
        for change in changes:
            shown = deltas.of_own(change, message.changed, user=self._user(), now=self._now()).apply(shown)
        return replace(shown, pending=tuple(changes))

    def _raise_marker(self, marker: Marker) -> str:
        markers = self._markers.setdefault(marker.conversation, {})
        markers[marker.user] = _joined(markers.get(marker.user), marker)
        return marker.conversation

    def _meet(self, members: Members) -> str:
        """Learns with whom a direct conversation is; forgets one to which one does not belong any more."""
        others = [member.user for member in members.members if member.user != self._user()]
        if members.kind == "direct" and others:
            self._learn_direct(others[0], members.conversation)
        if members.ends_for(self._user()):
            for message in list(self._conversations.get(members.conversation, {})):
                self._forget(message)
            self._markers.pop(members.conversation, None)
        return members.conversation

    def _signal(self, signal: Typing | Presence) -> None:
        if isinstance(signal, Presence):
            if signal.whole:
                self._online.clear()
            self._online |= dict.fromkeys(signal.online, True) | dict.fromkeys(signal.offline, False)
            return
        now_s = self._monotonic_s()
        self._typing = {who: until_s for who, until_s in self._typing.items() if until_s > now_s}
        self._typing.pop((signal.conversation, signal.user), None)
        if signal.on:
            self._typing[signal.conversation, signal.user] = now_s + TYPING_S


def _joined(one: Marker | None, other: Marker) -> Marker:
    """Returns the higher one of each position, and the later flag, unless a higher `read` has taken it away.

    `position` becomes that of the last record that told the flag or took it away: replays may tell earlier ones again.
    """
    one = one or Marker(other.conversation, other.user, None, None)
    delivered, read = highest(one.delivered, other.delivered), highest(one.read, other.read)
    joined = replace(one, delivered=delivered, read=read, tells_flag=one.tells_flag or other.tells_flag)
    is_told_again = one.position is not None and other.position is not None and other.position <= one.position
    if is_told_again or not (other.tells_flag or read != one.read):
        return joined
    return replace(joined, unread_from=other.unread_from, position=highest(one.position, other.position))
