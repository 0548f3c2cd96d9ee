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
import klatsch.client
assert klatsch.client.Client("wss://chat.example/ws", token="t").state.token is None
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"django", "channels", "msgspec", "structlog"}, loaded
assert not any(map(importlib.util.find_spec, ("django", "msgspec", "httpx", "pip")))
assert [name for name in sys.modules if name.startswith("klatsch.") and not name.startswith("klatsch.client")] == []
print(klatsch.client.__file__)
"""


def _run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of a copy of the folder alone, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(
        ROOT / "klatsch" / "client", folder / "source", ignore=shutil.ignore_patterns("__pycache__")
    )
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-index", "--no-deps")
    _run(*pip, "--no-build-isolation", "--wheel-dir", str(folder), str(source), cwd=folder)
    [built] = folder.glob("klatsch_client-*.whl")
    return built


def test_the_wheel_has_klatsch_client_alone_with_its_types_and_needs_websockets_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    modules = {f"klatsch/client/{file.name}" for file in (ROOT / "klatsch" / "client").glob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules | {"klatsch/client/py.typed"}
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


def test_the_server_uses_its_own_copy_where_both_are_there(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import klatsch.core, klatsch.client as c; print(c.__file__)"
    assert _run(sys.executable, "-c", code, str(tmp_path), cwd=ROOT).strip() == str(ROOT / "klatsch/client/__init__.py")
