"""Klatsch for Python programs: `Client` sends and tells what comes; `State` survives a restart. README.md shows how.

It needs nothing of the server, and of other packages only websockets.
"""

from klatsch_client.client import Client
from klatsch_client.errors import ClientError, Closed, NotAuthenticated, Refused, Stopped, TooManyUnmarked
from klatsch_client.events import Changed, Draft, Event, Failed, Member, Members, Message, Reset, Sent, Typing
from klatsch_client.positions import Position
from klatsch_client.settings import Settings
from klatsch_client.state import State
from klatsch_client.status import Status

__all__ = [
    "Changed",
    "Client",
    "ClientError",
    "Closed",
    "Draft",
    "Event",
    "Failed",
    "Member",
    "Members",
    "Message",
    "NotAuthenticated",
    "Position",
    "Refused",
    "Reset",
    "Sent",
    "Settings",
    "State",
    "Status",
    "Stopped",
    "TooManyUnmarked",
    "Typing",
]
