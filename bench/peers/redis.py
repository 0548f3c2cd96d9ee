"""A redis-server that keeps nothing on the disk, for the peers that need one."""

from typing import Final

from bench.peers.programs import HOST, Program, find_program, version_of

_HOW: Final = "sudo apt-get install redis-server, or as root `make bench-peers`"
_SETTINGS: Final = {"save": "", "appendonly": "no"}


class Redis:
    """Redis on a port of its own."""

    def __init__(self) -> None:
        self._path = find_program("redis-server", _HOW)
        self._program = Program("redis")

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self._program.port}"

    @property
    def pid(self) -> int:
        return self._program.pid

    def start(self) -> None:
        settings = [part for name, value in _SETTINGS.items() for part in (f"--{name}", value)]
        self._program.start([self._path, "--bind", HOST, "--port", str(self._program.port), *settings], {})

    def stop(self) -> None:
        self._program.end()

    def settings(self) -> dict[str, str]:
        """Returns the version and what it keeps."""
        return {"redis": version_of([self._path, "--version"]), "redis.appendonly": "no", "redis.save": "never"}
