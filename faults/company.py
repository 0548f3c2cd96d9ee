"""The people of a run, their conversations, and a client for each of their devices."""

from collections.abc import Sequence
from pathlib import Path

from faults.client import Client
from faults.evidence import history_file
from faults.history import History
from faults.person import Group, Person, Talk
from faults.proxy import Proxy
from faults.rest import Rest

_FIRST = {"content": "first"}


class Company:
    """Creates the people of a run. `evidence` is the folder into which each client writes its history."""

    def __init__(self, proxies: Sequence[Proxy], rest: Rest, evidence: Path) -> None:
        self.clients: list[Client] = []
        self.groups: list[Group] = []
        self.talks: list[Talk] = []
        self._proxies = proxies
        self._rest = rest
        self._evidence = evidence
        self._partitions: dict[str, int] = {}

    @property
    def speakers(self) -> list[Client]:
        """Returns the first devices, which speak; second devices only listen."""
        return [client for client in self.clients if client.name.endswith("#0")]

    async def talk(self, one: Person, other: Person) -> None:
        """Gives two people a conversation."""
        said = await self._rest.ask("POST", f"users/{other.username}/messages", token=one.token, body=_FIRST)
        self._join(said, [one, other])
        self.talks.append(Talk(said["conversation"], one, other))

    async def found_group(self, people: Sequence[Person]) -> None:
        """Creates a group: the first person owns it, the second is an admin, and the last may be removed."""
        owner, *others = people
        body = {"title": "faults", "members": [person.username for person in others]}
        made = await self._rest.ask("POST", "conversations", token=owner.token, body=body)
        path = f"conversations/{made['id']}/messages"
        self._join(await self._rest.ask("POST", path, token=owner.token, body=_FIRST), people)
        admin = others[0]
        path = f"conversations/{made['id']}/members/{admin.username}"
        await self._rest.ask("PATCH", path, token=owner.token, body={"role": "admin"})
        owner.leads.add(made["id"])
        admin.leads.add(made["id"])
        self.groups.append(Group(made["id"], owner, others[-1], admin))

    def add_client(self, person: Person, device: int, home: int) -> None:
        """Adds a device, whose gateway is `home`."""
        name = f"{person.username}#{device}"
        written = History(history_file(self._evidence, name))
        client = Client(name, person, self._proxies, home % len(self._proxies), written, self._rest)
        client.reloading.partitions = self._partitions
        self.clients.append(client)

    def _join(self, said: dict[str, str], people: Sequence[Person]) -> None:
        self._partitions[said["conversation"]] = int(said["position"].split(":")[1])
        for person in people:
            person.conversations.append(said["conversation"])
            person.peers[said["conversation"]] = [other.username for other in people if other is not person]
