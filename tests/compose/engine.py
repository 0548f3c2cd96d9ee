"""A Docker engine with Compose: what is missing is installed and started where that may be, else the person is told."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from klatsch.embedded.jars import cache_folder

_COMPOSE = "v2.40.3"
_MODULE = "github.com/docker/compose/v2"
_START_S = 60
_SHARES = Path("/sys/fs/cgroup/cpu/docker/cpu.shares")
_WEIGHT = 10 * 1024
_INSTALL_S = 900


class NotPossible(Exception):
    """Raised where these tests cannot run; the text says what a person can do."""


class Engine:
    """`docker` and `docker compose`, with their environment; `notes` says what had to be done for it."""

    def __init__(self, folder: Path) -> None:
        self.notes: list[str] = []
        self._folder = folder
        self._daemon: subprocess.Popen[bytes] | None = None
        self._env: dict[str, str] = {}

    def start(self) -> None:
        """Returns when `docker compose` can be used; raises NotPossible."""
        if not self._answers():
            self._start_daemon()
        if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
            self._make_plugin()

    def stop(self) -> None:
        """Ends the engine, if it was not there before."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(60)

    @property
    def env(self) -> dict[str, str]:
        """For commands: nothing of this run's own settings, which would otherwise go before those of `.env`."""
        ours = ("KLATSCH_", "KAFKA_", "COMPOSE_", "DATABASE_URL", "EMAIL_URL", "PROXY_")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | self._env

    def run(
        self, *argv: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, deadline_s: float = 300
    ) -> str:
        """Returns what the command prints; fails with all that it said."""
        done = subprocess.run(
            argv,
            env=self.env | dict(env or {}),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(argv)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def install(self, package: str) -> None:
        """Installs packages with apt-get, as root; raises NotPossible where that is not so."""
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise NotPossible(f"{package} is needed: install it, then run `make test-compose` again.")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for argv in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", package]):
            done = subprocess.run(argv, env=quiet, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
            if done.returncode:
                raise NotPossible(f"{package} cannot be installed: {done.stderr[-500:]}")
        self.notes.append(f"installed {package}")

    def _answers(self) -> bool:
        return (
            shutil.which("docker") is not None
            and subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
        )

    def _start_daemon(self) -> None:
        if os.geteuid() != 0:
            raise NotPossible("Docker's engine does not answer: start it, then run `make test-compose` again.")
        if shutil.which("dockerd") is None:
            self.install("docker.io")
        self._weigh_containers()
        log = self._folder / "dockerd.log"
        with log.open("wb") as output:
            self._daemon = subprocess.Popen(["dockerd"], stdout=output, stderr=output, start_new_session=True)
        until_s = time.monotonic() + _START_S
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > until_s:
                raise NotPossible(f"Docker's engine does not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        self.notes.append("started Docker's engine")

    def _weigh_containers(self) -> None:
        """Gives containers together the weight of ten processes, about as many as run in them at once.

        With cgroups of version 1 they weigh as much as one process of the host, whatever their own shares are: beside
        30 busy processes, all brokers, PostgreSQL and gateways together would get a thirtieth of the machine.
        """
        if _SHARES.parent.parent.is_dir():
            _SHARES.parent.mkdir(exist_ok=True)
            _SHARES.write_text(str(_WEIGHT))

    def _make_plugin(self) -> None:
        """Builds Compose v2 from its Go module where only the engine is there, as with Debian 12's docker.io."""
        config = cache_folder() / f"docker-compose-{_COMPOSE}"
        plugin = config / "cli-plugins" / "docker-compose"
        if not plugin.exists():
            self._build_plugin(plugin)
        self._env["DOCKER_CONFIG"] = str(config)
        self.notes.append(f"Docker Compose {_COMPOSE} was built from its Go module")

    def _build_plugin(self, plugin: Path) -> None:
        if shutil.which("go") is None:
            raise NotPossible("Docker Compose v2 is needed: install its plugin, then run `make test-compose` again.")
        module = self._folder / "compose-module"
        module.mkdir()
        (module / "go.mod").write_text("module klatsch.invalid/compose\n\ngo 1.24\n")
        plugin.parent.mkdir(parents=True, exist_ok=True)
        new = plugin.with_suffix(".new")
        flags = f"-s -w -X {_MODULE}/internal.Version={_COMPOSE}"
        print("Building Docker Compose (once, some minutes) ...", file=sys.stderr, flush=True)  # noqa: T201 - for a person
        for argv in (
            ["go", "get", f"{_MODULE}/cmd@{_COMPOSE}"],
            ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(new), f"{_MODULE}/cmd"],
        ):
            done = subprocess.run(argv, cwd=module, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
            if done.returncode:
                raise NotPossible(f"Docker Compose cannot be built: {done.stderr[-500:]}")
        new.rename(plugin)
