"""Systems that people would pick instead, each behind the interface of `bench.systems`."""

from collections.abc import Callable
from functools import partial
from typing import Final

from bench.peers.centrifugo import Centrifugo
from bench.peers.channels_tutorial import ChannelsTutorial
from bench.peers.ejabberd import Ejabberd
from bench.systems import System

PEERS: Final[dict[str, Callable[[], System]]] = {
    "tutorial": ChannelsTutorial,
    "ejabberd": Ejabberd,
    "centrifugo-redis": partial(Centrifugo, "redis"),
    "centrifugo-memory": partial(Centrifugo, "memory"),
}
