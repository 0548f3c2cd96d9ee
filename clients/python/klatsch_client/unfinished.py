"""One's own messages that have no final answer yet, in order. No I/O."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from klatsch_client.events import Draft


class Unfinished:
    """Keeps drafts by a number of this process, since a draft gets its name late: when it is first written or saved.

    A name made earlier would be by a clock that the server has not corrected yet, or stale when the message is
    written at last. A name made later than a save would be another one after a restart: two messages.
    """

    def __init__(self, drafts: Iterable[Draft] = ()) -> None:
        self._drafts = dict(enumerate(drafts))
        self._numbers = {draft.client_id: number for number, draft in self._drafts.items()}
        self._unnamed: dict[int, Callable[[], str]] = {}
        self._next = len(self._drafts)

    def __len__(self) -> int:
        return len(self._drafts)

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._drafts.values())

    def items(self) -> Iterable[tuple[int, Draft]]:
        """Each draft with its number, oldest first."""
        return self._drafts.items()

    def add(self, draft: Draft, new_name: Callable[[], str]) -> int:
        """Adds a draft, to be named by `new_name` if it has no name; returns its number."""
        number = self._next
        self._next += 1
        self._drafts[number] = draft
        if draft.client_id:
            self._numbers[draft.client_id] = number
        else:
            self._unnamed[number] = new_name
        return number

    def number(self, client_id: str) -> int | None:
        """The number of the draft of that name."""
        return self._numbers.get(client_id)

    def get(self, number: int) -> Draft:
        """The draft as it is."""
        return self._drafts[number]

    def named(self, number: int) -> Draft:
        """The draft with its name, which it keeps from here on."""
        new_name = self._unnamed.pop(number, None)
        if new_name is not None:
            draft = self._drafts[number] = replace(self._drafts[number], client_id=new_name())
            self._numbers[draft.client_id] = number
        return self._drafts[number]

    def all_named(self) -> list[Draft]:
        """All of them, to be saved."""
        return [self.named(number) for number in self._drafts]

    def finish(self, client_id: str) -> bool:
        """Forgets the draft of that name; False when there is none."""
        number = self._numbers.pop(client_id, None)
        return number is not None and self._drafts.pop(number, None) is not None
