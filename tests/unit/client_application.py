"""An application of the client library, to test its state: it goes step by step, and fails when it is told twice."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Any, Literal

from klatsch_client.deltas import Deleted, Edited, Pinned, Reacted, of_own
from klatsch_client.drafts import Change, Done, Draft, Failed, Sent
from klatsch_client.events import Changed, Event, Reset
from klatsch_client.frames import Welcome
from klatsch_client.messages import Message
from klatsch_client.positions import Position
from klatsch_client.reload import Reload
from klatsch_client.session import Session
from klatsch_client.state import State
from klatsch_client.view import View
from tests.unit.client_model import CONVERSATIONS, MOMENT, Server, push

STEPS = [
    *["write", "change", "own_change", "take", "take"] * 2,
    *["load", "show"] * 3,
    *["write_own", "take_mark", "cut", "crash", "begin_epoch"],
]
_OPS: list[tuple[Literal["edit", "delete", "react", "pin"], dict[str, Any]]] = [
    ("edit", {"content": "mine"}),
    ("edit", {"content": "mine, later"}),
    ("delete", {}),
    ("react", {"emoji": "👍", "on": True}),
    ("react", {"emoji": "👍", "on": False}),
    ("pin", {"on": True}),
    ("pin", {"on": False}),
]


class Application:
    """Keeps what it is told, and fails when it is told something twice.

    Its view and what it knows to be told are in a store of its own: a crash leaves them as they are.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.state = State()
        self.view = View()
        self.told: dict[str, Message] = {}
        self.last: dict[str, Position] = {}
        self.own: set[str] = set()
        self.asked: dict[str, int] = {}
        self.made = 0
        self.pages: list[list[dict[str, Any]]] = []
        self.reconnect(Random(0))

    def reconnect(self, random: Random) -> None:
        """Connects anew, perhaps to a gateway that is behind; all it says first is on its way."""
        end = max(self.server.first_of_epoch, len(self.server.log) - random.randint(0, 3))
        self.session = Session()
        self.coming: list[dict[str, Any] | Welcome] = self.server.connect(self.state.token, end)
        self.next = end
        self.own.clear()
        self.asked.clear()
        self.view.bind(lambda: 0.0, user=lambda: "ana", now=lambda: MOMENT, drafts=self.state.unfinished)

    def write_own(self) -> None:
        """Sends: this connection will be told by an answer, any other one by a push."""
        self.own.add(self.server.write()["d"]["id"])

    def go(self, step: str, random: Random) -> None:
        """Takes one step of the world."""
        steps: dict[str, Callable[[], object]] = {
            "write": self.server.write,
            "change": self.server.change,
            "begin_epoch": self.server.begin_epoch,
            "own_change": lambda: self.change_own(random),
            "load": lambda: self.load(random),
            "cut": lambda: self.reconnect(random),
            "crash": lambda: self.crash(random),
        }
        steps.get(step, getattr(self, step, self.take))()

    def change_own(self, random: Random) -> None:
        """Changes a message that is in view. What one has written, one connection writes once."""
        if not self.told:
            return
        op, body = random.choice(_OPS)
        message = random.choice(list(self.told.values()))
        self.made += 1
        change = Change(f"c{self.made}", op, message.id, message.position, message.conversation, **body)
        self.state.unfinished.add(change, str)

    def write_due(self) -> None:
        """Writes what has no answer, once the replay is whole: the oldest change of each message."""
        if self.coming:
            return
        targets: set[str | None] = set()
        for number, draft in self.state.unfinished.items():
            if isinstance(draft, Change) and draft.target not in targets:
                targets.add(draft.target)
                if draft.client_id not in self.asked:
                    self.asked[draft.client_id] = number
                    self.server.take(draft)

    def take(self) -> None:
        """Takes the next frame: of the beginning, then of the log's records."""
        if self.coming:
            self._take_frame(self.coming.pop(0))
        elif self.next < len(self.server.log):
            record = self.server.log[self.next]
            self.next += 1
            if record.get("change") in self.asked:
                self._take_outcome(record)
            elif "t" not in record:
                pass
            elif record["t"] == "message" and record["d"]["id"] in self.own:
                self._take_answer(record)
            else:
                self._take_frame(record)

    def take_all(self) -> None:
        while self.coming or self.next < len(self.server.log):
            self.take()
            self.write_due()

    def load(self, random: Random) -> None:
        """Asks for a page of a history, which is not shown yet."""
        self.pages.append(self.server.rows(random.choice(CONVERSATIONS)))

    def show(self) -> None:
        """Shows the oldest page that was asked for: some of it is old by now, some was not told yet."""
        if self.pages:
            self.view.add(map(Message.read, self.pages.pop(0)))

    def check_pending(self) -> None:
        """Checks that pending changes are seen, and all else is as it was in the server at that place."""
        changes = [draft for draft in self.state.unfinished if isinstance(draft, Change)]
        for name in self.told:
            shown = self.view.message(name)
            assert shown is not None
            if not shown.pending and (past := self.server.past.get((name, str(shown.changed)))):
                assert replace(shown, seq=None) == Message.read(past)
            mine = [change for change in changes if change.message == name]
            assert list(shown.pending) == mine or shown.deleted
            edits = [change.content for change in mine if change.op == "edit"]
            assert not edits or shown.deleted or shown.content == edits[-1]
            assert shown.deleted or not any(change.op == "delete" for change in mine)

    def take_mark(self) -> None:
        if self.coming:
            return
        self.coming.append({"t": "mark", "resume": self.server.token(self.next)})

    def crash(self, random: Random) -> None:
        """Loses all but what was saved."""
        self.state = State.from_json(self.state.to_json())
        self.reconnect(random)

    def _take_answer(self, record: dict[str, Any]) -> None:
        what = push(record).what
        assert isinstance(what, Message)
        draft = Draft(what.client_id, what.content)
        number = self.state.unfinished.add(draft, str)
        assert self.state.finish(number, Sent(draft, what.id, what.position, duplicate=False))
        self.told.setdefault(what.id, what)
        self.view.apply(what)

    def _take_outcome(self, record: dict[str, Any]) -> None:
        number, answer = self.asked.pop(record["change"]), record["answer"]
        draft = self.state.unfinished.get(number)
        assert isinstance(draft, Change)
        if "code" in answer:
            assert self.state.finish(number, Failed(draft, answer["code"], ""))
            return
        place = Position.parse(answer["position"])
        assert self.state.finish(number, Done(draft, place, answer["duplicate"]))
        delta = self.state.known.take_delta(of_own(draft, place, user="ana", now=MOMENT), in_order=False)
        self._tell(delta)

    def _take_frame(self, frame: dict[str, Any] | Welcome) -> None:
        if isinstance(frame, Welcome):
            self.session.welcome = frame
            return
        one = push(frame)
        event = self.state.take(one, in_order=self.session.take(one))
        self._tell(event, in_its_place=one.position is not None)
        if isinstance(event, Reset):
            for loaded in self._load(event):
                self._tell(loaded)

    def _load(self, reset: Reset) -> Iterator[Event]:
        reload = Reload(self.state.known, reset, older_most=10_000)
        while True:
            while (event := reload.next_event()) is not None:
                yield event
            request = reload.next_request()
            if request is None:
                return
            reload.take_page(self.server.read(request))

    def _tell(self, event: Event | None, *, in_its_place: bool = True) -> None:
        match event:
            case Message():
                assert event.id not in self.told, f"told twice: {event}"
                if in_its_place:  # states come in any order
                    last = self.last.setdefault(event.conversation, event.position)
                    assert last <= event.position, f"out of order: {event}"
                    self.last[event.conversation] = event.position
                self.told[event.id] = event
            case Changed(message):
                told = self.told.get(message.id)  # None of one that is from before the first connection
                assert told is None or message.changed > told.changed, f"no news: {message}"
                self.told[message.id] = message
            case Edited() | Deleted() | Reacted() | Pinned() if event.id in self.told:
                before = self.told[event.id]
                assert event.position > before.changed, f"no news: {event}"
                self.told[event.id] = event.apply(before)
        if event is not None:
            self.view.apply(event)
