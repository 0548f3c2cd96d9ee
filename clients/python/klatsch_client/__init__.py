"""Klatsch for Python programs: `Client` sends and tells what comes; `State` survives a restart. README.md shows how.

It needs nothing of the server, and of other packages only websockets.
"""

from klatsch_client.archive import Archive, Conversation, Page, Version
from klatsch_client.client import Client
from klatsch_client.deltas import Deleted, Delta, Edited, Pinned, Reacted
from klatsch_client.drafts import Change, Done, Draft, Failed, Marking, Sent
from klatsch_client.errors import (
    ClientError,
    Closed,
    Conflict,
    Gone,
    NotAuthenticated,
    Refused,
    Stopped,
    TooManyUnmarked,
    Unavailable,
)
from klatsch_client.events import Changed, Event, Invitation, Marker, Member, Members, Presence, Reset, Typing
from klatsch_client.messages import Message, ReplyPreview
from klatsch_client.positions import Position
from klatsch_client.settings import Settings
from klatsch_client.state import State
from klatsch_client.status import Status
from klatsch_client.view import View

__all__ = [
    "Archive",
    "Change",
    "Changed",
    "Client",
    "ClientError",
    "Closed",
    "Conflict",
    "Conversation",
    "Deleted",
    "Delta",
    "Done",
    "Draft",
    "Edited",
    "Event",
    "Failed",
    "Gone",
    "Invitation",
    "Marker",
    "Marking",
    "Member",
    "Members",
    "Message",
    "NotAuthenticated",
    "Page",
    "Pinned",
    "Position",
    "Presence",
    "Reacted",
    "Refused",
    "ReplyPreview",
    "Reset",
    "Sent",
    "Settings",
    "State",
    "Status",
    "Stopped",
    "TooManyUnmarked",
    "Typing",
    "Unavailable",
    "Version",
    "View",
]
