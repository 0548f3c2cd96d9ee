"""The client library is a package of its own: built, installed and imported without the server and its frameworks."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import websockets

ROOT = Path(__file__).resolve().parents[2]
_IMPORT = """
import importlib.util, sys
import klatsch_client
assert klatsch_client.Client("wss://chat.example/ws", token="t").state.token is None
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"django", "channels", "msgspec", "structlog"}, loaded
assert not any(map(importlib.util.find_spec, ("klatsch", "django", "msgspec", "httpx", "pip")))
assert "klatsch" not in loaded
print(klatsch_client.__file__)
"""


def _run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the wheel of a copy of the folder alone, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    caches = shutil.ignore_patterns("__pycache__")
    source = shutil.copytree(ROOT / "clients" / "python", folder / "source", ignore=caches)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index", "--no-deps")
    _run(*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(source), cwd=folder)
    [built] = folder.glob("klatsch_client-*.whl")
    return built


def test_the_wheel_has_klatsch_client_alone_with_its_types_and_needs_websockets_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {f"klatsch_client/{file.name}" for file in (ROOT / "clients/python/klatsch_client").glob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules | {"klatsch_client/py.typed"}
    [metadata] = [name for name in names if name.endswith("METADATA")]
    lines = zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
    assert [line for line in lines if line.startswith("Requires-Dist")] == ["Requires-Dist: websockets>=13.1"]


def test_installed_into_an_empty_environment_it_imports_with_websockets_alone(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    packages = Path(
        _run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip()
    )
    (packages / "websockets").symlink_to(Path(websockets.__file__).parent)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-index", "--no-deps")
    _run(*pip, "--target", str(packages), str(wheel), cwd=tmp_path)
    assert _run(str(python), "-I", "-c", _IMPORT, cwd=tmp_path).strip().startswith(str(packages))
