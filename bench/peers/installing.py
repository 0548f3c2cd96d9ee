"""Installs the peers' programs: Debian's packages as root, Centrifugo with Go. Says what came of each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("redis-server", "ejabberd", "erlang-p1-pgsql")
_CENTRIFUGO: Final = "github.com/centrifugal/centrifugo/v6@latest"


def install_packages() -> str:
    """Installs what apt has, as root; Debian may start them as services, which the bench does not use."""
    missing = [name for name in _PACKAGES if not is_installed(name)]
    if not missing:
        return f"{', '.join(_PACKAGES)}: installed"
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return f"Not installed: {', '.join(missing)}. On Debian or Ubuntu: sudo {' '.join(command)}"
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for each in (["apt-get", "update", "-qq"], command):
        done = subprocess.run(each, env=env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{' '.join(each)} failed:\n{done.stdout}{done.stderr}"
    return f"{', '.join(missing)}: installed now"


def install_centrifugo() -> str:
    """Builds Centrifugo into the virtual environment, which takes minutes."""
    programs = Path(sys.executable).parent
    if (programs / "centrifugo").exists() or shutil.which("centrifugo") is not None:
        return "centrifugo: installed"
    if shutil.which("go") is None:
        return f"Not installed: centrifugo. It needs Go: go install {_CENTRIFUGO}"
    env = os.environ | {"GOBIN": str(programs)}
    done = subprocess.run(["go", "install", _CENTRIFUGO], env=env, capture_output=True, text=True, check=False)
    return "centrifugo: installed now" if done.returncode == 0 else f"go install {_CENTRIFUGO} failed:\n{done.stderr}"


def is_installed(package: str) -> bool:
    """Returns whether Debian's package is installed."""
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package], capture_output=True, check=False
    )
    return asked.stdout == b"installed"


if __name__ == "__main__":
    print(install_packages())
    print(install_centrifugo())
