"""Klatsch for Python programs: `Client` sends and tells what comes; `State` survives a restart. README.md shows how.

It needs nothing of the server, and of other packages only websockets.
"""

from klatsch.client.client import Client
from klatsch.client.errors import ClientError, Closed, NotAuthenticated, Refused, Stopped, TooManyUnmarked
from klatsch.client.events import Changed, Draft, Event, Failed, Member, Members, Message, Reset, Sent, Typing
from klatsch.client.positions import Position
from klatsch.client.settings import Settings
from klatsch.client.state import State
from klatsch.client.status import Status

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
