"""The person's messages, changes and marks without a final answer, in order. No I/O."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from klatsch_client.drafts import Marking, Unsent


class Unfinished:
    """Keeps drafts by a number of this process, since a draft gets its name late: when it is first written or saved.

    A name made earlier would be by a clock that the server has not corrected yet, or stale when the draft is written at
    last. A name made later than a save would be another one after a restart: two messages, or two changes.
    """

    def __init__(self, drafts: Iterable[Unsent] = ()) -> None:
        self._drafts = dict(enumerate(drafts))
        self._numbers = {draft.client_id: number for number, draft in self._drafts.items()}
        self._unnamed: dict[int, Callable[[], str]] = {}
        self._next = len(self._drafts)

    def __len__(self) -> int:
        return len(self._drafts)

    def __iter__(self) -> Iterator[Unsent]:
        return iter(self._drafts.values())

    def items(self) -> Iterable[tuple[int, Unsent]]:
        """Returns each draft with its number, oldest first."""
        return self._drafts.items()

    def add(self, draft: Unsent, new_name: Callable[[], str]) -> int:
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
        """Returns the number of the draft of that name, None without one."""
        return self._numbers.get(client_id)

    def get(self, number: int) -> Unsent:
        """Returns the draft of that number."""
        return self._drafts[number]

    def named(self, number: int) -> Unsent:
        """Returns the draft with its name, which it keeps from then on."""
        new_name = self._unnamed.pop(number, None)
        if new_name is not None:
            draft = self._drafts[number]
            if not isinstance(draft, Marking):
                self._drafts[number] = draft = replace(draft, client_id=new_name())
            self._numbers[draft.client_id] = number
        return self._drafts[number]

    def all_named(self) -> list[Unsent]:
        """Returns all drafts, named, to be saved."""
        return [self.named(number) for number in self._drafts]

    def put(self, number: int, draft: Unsent) -> None:
        """Replaces a draft by another one of its name."""
        self._drafts[number] = draft

    def finish(self, number: int) -> bool:
        """Forgets the draft of that number; False when there is none."""
        draft = self._drafts.pop(number, None)
        self._unnamed.pop(number, None)
        if draft is not None and self._numbers.get(draft.client_id) == number:
            del self._numbers[draft.client_id]
        return draft is not None
