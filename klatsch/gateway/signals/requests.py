"""The operations `open`, `typing` and `presence`: from a client's frame to this gateway's signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from klatsch.conversations.access import Access
from klatsch.core.errors import Forbidden
from klatsch.core.ids import uuid_bytes
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language import protocol
from klatsch.gateway.language.requests import OpenFrame, PresenceFrame, TypingFrame
from klatsch.gateway.lookups import Lookups
from klatsch.gateway.signals.listener import Listener
from klatsch.gateway.signals.signals import Signals
from klatsch.gateway.signals.visibility import MYSELF, find_common, find_shared, is_overtaken, may_see
from klatsch.gateway.signals.watching import Visible


def signals_are_off() -> Forbidden:
    """Returns the answer of a server that offers no signals: asking again does not help."""
    return Forbidden("This server offers neither typing nor presence.")


@dataclass(frozen=True, slots=True)
class SignalRequests:
    """Checks who asks for what, in memory where it can, and else in PostgreSQL."""

    signals: Signals
    hub: Hub
    lookups: Lookups

    async def open(self, listener: Listener, frame: OpenFrame) -> None:
        """Makes these the opened conversations; raises NotFound unless the person is a member of all of them."""
        self.signals.check_rate(listener.person)
        keys: set[bytes] = set()
        for conversation in frame.d.conversations:
            access = listener.person.access.get(conversation.encode())
            keys.add((access or await self._ask_membership(listener.person, conversation)).key)
        self.signals.typing.open(listener, frozenset(keys))
        listener.outbox.answer(protocol.ok(frame.id, {}))

    async def _ask_membership(self, person: ConnectedPerson, conversation: str) -> Access:
        """Asks PostgreSQL, like a send to a conversation that was made a millisecond ago (D9)."""
        standing = await self.lookups.find_standing(person, conversation)
        access = standing.access(UUID(person.user_id), person.username)
        self.hub.admit(person, access, standing.version)
        if not standing.may_write:
            self.hub.ask_again(person, access)
        return access

    def say_typing(self, listener: Listener, frame: TypingFrame) -> None:
        """Passes on that the person types. There is no answer."""
        self.signals.typing.say(listener.person, frame.d.conversation, on=frame.d.on)

    async def show(self, listener: Listener, frame: PresenceFrame) -> None:
        """Makes these the people whom the connection shows. Strangers and unknown names are answered as offline."""
        self.signals.check_rate(listener.person)
        names = {name.lower(): name for name in frame.d.users}
        visible, unknown = self._find_in_memory(listener.person, list(names))
        if unknown:
            asked = await self._ask_shared(listener.person, unknown)
            visible = self._look_again(listener.person, visible) | asked
        online, offline = self.signals.show(listener, list(visible.values()))
        offline += [name for folded, name in names.items() if folded not in visible]
        listener.outbox.answer(protocol.ok(frame.id, {"online": online, "offline": offline}))

    def _find_in_memory(self, viewer: ConnectedPerson, names: Sequence[str]) -> tuple[dict[str, Visible], list[str]]:
        """Returns the people of these names who are known to be visible, and the names of all others."""
        visible: dict[str, Visible] = {}
        unknown: list[str] = []
        me = viewer.username.lower()
        for name in names:
            found = Visible(viewer.user_id, viewer.username, MYSELF) if name == me else self._find_known(viewer, name)
            if found is None:
                unknown.append(name)
            else:
                visible[name] = found
        return visible, unknown

    def _find_known(self, viewer: ConnectedPerson, name: str) -> Visible | None:
        """Returns the person if memory tells of a conversation that the two share.

        They write to each other, others in it show the person already, or the person is connected here.
        """
        access = viewer.direct.get(name)
        if access is not None and access.receiver_id is not None and access.receiver is not None:
            return Visible(access.receiver_id, access.receiver, access.key)
        watched = self.signals.watching.find(name)
        if watched is not None:
            shared = find_common(viewer, watched.user_id, watched.conversations)
            if shared is not None:
                return Visible(watched.user_id, watched.username, shared)
        person = self.signals.find_here(name)
        shared = None if person is None else find_shared(viewer, person)
        return None if person is None or shared is None else Visible(person.user_id, person.username, shared)

    def _look_again(self, viewer: ConnectedPerson, found: dict[str, Visible]) -> dict[str, Visible]:
        """Returns those who are visible still, or by another conversation: records came while PostgreSQL was asked."""
        visible: dict[str, Visible] = {}
        for name, before in found.items():
            now = before if self._is_visible_still(viewer, before) else self._find_known(viewer, name)
            if now is not None:
                visible[name] = now
        return visible

    def _is_visible_still(self, viewer: ConnectedPerson, one: Visible) -> bool:
        judge = self.signals.judge
        if not may_see(viewer, uuid_bytes(one.user_id), one.shared, judge):
            return False
        return not is_overtaken(viewer, one.user_id, one.shared, judge)

    async def _ask_shared(self, viewer: ConnectedPerson, names: Sequence[str]) -> dict[str, Visible]:
        visible: dict[str, Visible] = {}
        for one in await self.lookups.find_acquaintances(viewer, names):
            shared = one.conversation.encode("ascii")
            if not is_overtaken(viewer, one.user_id, shared, self.signals.judge):
                visible[one.name] = Visible(one.user_id, one.username, shared)
        return visible
