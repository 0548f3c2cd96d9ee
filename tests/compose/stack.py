"""One installation from a fresh copy of the repository, in containers of its own project, on a free port."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from klatsch.embedded.child import free_ports
from tests.compose.engine import Engine

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "klatsch:test-compose"
_UP_S = 600
_POLL_S = 0.1


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = 60) -> None:
    """Returns when the condition holds; fails saying what did not come to be."""
    until_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until_s, f"not within {deadline_s} s: {what}"
        time.sleep(_POLL_S)


def repository_files() -> list[str]:
    """Returns what a fresh clone would have, with what is not committed yet."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def copy_repository(to: Path) -> None:
    for name in repository_files():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)


def has_commit(revision: str) -> bool:
    """Returns whether this clone has the files of a commit; false also where it is no clone."""
    argv = ["git", "cat-file", "-e", f"{revision}^{{tree}}"]
    return subprocess.run(argv, cwd=ROOT, check=False, capture_output=True).returncode == 0


def copy_revision(revision: str, to: Path) -> None:
    """Writes the files of a commit that `has_commit`."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, capture_output=True).stdout
    to.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "-x", "-C", str(to)], input=archive, check=True)


def pull(to: Path) -> None:
    """Brings a copy to the repository's files as `git pull` would. Containers have mounted its folders: those stay."""
    stay = {".env", "secrets"}
    files = set(repository_files())
    for file in [file.relative_to(to) for file in to.rglob("*") if file.is_file()]:
        if file.parts[0] not in stay and str(file) not in files:
            (to / file).unlink()
    copy_repository(to)


class Stack:
    """`docker compose` in a folder of its own, with everything that it has made."""

    def __init__(self, engine: Engine, folder: Path, *, files: Sequence[str] = ("compose.yaml",)) -> None:
        self.engine = engine
        self.folder = folder
        self.measured: list[str] = []
        self.project = f"klatsch-test-{os.getpid()}-{len(files)}"
        [self.port] = free_ports(1)
        self._override = folder.parent / f"{folder.name}-build.yaml"
        self.files = list(files)
        self.env = {
            "COMPOSE_FILE": ":".join(files),
            "COMPOSE_PROJECT_NAME": self.project,
            "IMAGE": IMAGE,
            "PROXY_LISTEN": f"127.0.0.1:{self.port}",
            "KLATSCH_ORIGINS": self.url,
            "KLATSCH_INVITE_STRANGERS": "0",  # the checker's people found groups of strangers
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def prepare(self, revision: str = "") -> None:
        """Copies the repository, or a commit of it, and makes its secrets, as a newcomer does."""
        if revision:
            copy_revision(revision, self.folder)
        else:
            copy_repository(self.folder)
        self.run("make", "compose-env")
        self._use_this_machines_network()

    def images(self) -> set[str]:
        """Returns what the stack is made from, but for our own image."""
        services = self._config()["services"].values()
        bases = {one["build"]["args"]["PYTHON_IMAGE"] for one in services if "build" in one}
        return bases | {one["image"] for one in services if one["image"] != IMAGE}

    def forget_image(self) -> None:
        """Forgets our image, so that `up` builds it as at the first start; its layers are kept."""
        if self.engine.run("docker", "images", "--quiet", IMAGE):
            self.engine.run("docker", "image", "rm", "--force", IMAGE)

    def note(self, measured: str) -> None:
        """Notes for the end of the run's output how large something is, or how long it took."""
        self.measured.append(measured)

    def up(self, *arguments: str) -> str:
        """Runs `docker compose up --wait` to its end."""
        return self.compose("up", "--wait", "--wait-timeout", str(_UP_S), *arguments, deadline_s=_UP_S + 60)

    def down(self, *arguments: str) -> None:
        self.compose("--profile", "*", "down", "--timeout", "40", *arguments)

    def compose(self, *arguments: str, deadline_s: float = 300) -> str:
        return self.run("docker", "compose", *arguments, deadline_s=deadline_s)

    def run(self, *argv: str, deadline_s: float = 300) -> str:
        """Runs any command, in the folder and for this project."""
        return self.engine.run(*argv, env=self.env, cwd=self.folder, deadline_s=deadline_s)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Returns what the engine knows of each container of a service that runs or ran."""
        ids = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(self.engine.run("docker", "inspect", *ids)) if ids else []
        return found

    def inside(self, service: str, *argv: str) -> str:
        return self.compose("exec", "-T", service, *argv)

    def crash(self, service: str, index: int = 0) -> str:
        """Kills the first process of a container from outside, as running out of memory does; the container's id."""
        container = self.containers(service)[index]
        kill = "import os, sys; os.kill(int(sys.argv[1]), 9)"
        options = ["--rm", "--pid=host", "--user=0", "--entrypoint=python", IMAGE]
        self.engine.run("docker", "run", *options, "-c", kill, str(container["State"]["Pid"]))
        return str(container["Id"])

    def healthy(self, service: str) -> bool:
        """Returns whether all its containers run and answer."""
        states = [container["State"] for container in self.containers(service)]
        return bool(states) and all(s["Running"] and s["Health"]["Status"] == "healthy" for s in states)

    def sql(self, statement: str, *, role: str = "") -> str:
        """Returns what PostgreSQL answers the superuser, or a role over the network with its own password."""
        if not role:
            return self.inside("postgres", "psql", "-U", "postgres", "-d", "klatsch", "-qAtc", statement)
        url = (self.folder / "secrets" / f"database_url_{role}").read_text().strip()
        return self.inside("postgres", "psql", url.replace("@postgres:", "@127.0.0.1:"), "-qAtc", statement)

    def people(self, count: int) -> list[dict[str, str]]:
        """Makes new people with tokens."""
        said = self.inside("api", "python", "manage.py", "people", str(count))
        return [json.loads(line) for line in said.splitlines()]

    def logs(self) -> str:
        return self.compose("logs", "--no-color")

    def _config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.compose("--profile", "*", "config", "--format", "json"))
        return found

    def _use_this_machines_network(self) -> None:
        """Builds reach the packages as this machine does: its network, its CA bundle, its pip.conf."""
        ca, pip = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE"), os.environ.get("PIP_CONFIG_FILE")
        files = {name: file for name, file in (("ca_bundle", ca), ("pip_conf", pip)) if file}
        services = self._config()["services"]
        build = {"build": {"network": "host", "secrets": list(files)}}
        override: dict[str, Any] = {"services": {name: build for name, one in services.items() if "build" in one}}
        override["secrets"] = {name: {"file": file} for name, file in files.items()}
        self._override.write_text(yaml.safe_dump(override))
        self.env["COMPOSE_FILE"] = ":".join([*self.files, str(self._override)])
