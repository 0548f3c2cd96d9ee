"""Finds Debian's Chromium, and installs it where this process may."""

import os
import shutil
import subprocess
from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PACKAGES = ("chromium", "fonts-noto-color-emoji")
_INSTALL_S = 900


class NoBrowser(Exception):
    """Raised where there is no browser; the text says how to get one."""


def find_chromium() -> Path:
    """Returns the path of a Chromium; installs Debian's as root. Raises NoBrowser."""
    found = _found()
    if found is None and os.getuid() == 0 and shutil.which("apt-get") is not None:
        _install()
        found = _found()
    if found is None:
        raise NoBrowser(
            "The tests of the page need Chromium, and there is none here. On Debian or Ubuntu, install it with: "
            f"sudo apt-get install {' '.join(_PACKAGES)}"
        )
    return Path(found)


def _found() -> str | None:
    return next((path for path in map(shutil.which, _NAMES) if path is not None), None)


def _install() -> None:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(
            ["apt-get", *command], env=env, capture_output=True, text=True, check=False, timeout=_INSTALL_S
        )
        if done.returncode != 0:
            raise NoBrowser(f"apt-get {command[0]} could not install Chromium:\n{done.stdout}{done.stderr}")
