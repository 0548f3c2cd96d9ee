"""The JavaScript client: runs its own tests, tests/unit/js/*.test.mjs, and reports those that fail by name."""

import re
import subprocess
from pathlib import Path

from tests.support.node import CLIENT, NODE, PAGES

_FOLDER = Path(__file__).parent / "js"
_DEADLINE_S = 60
_LONGEST_FILE = 300


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NODE, *arguments], cwd=_FOLDER, capture_output=True, text=True, check=False, timeout=_DEADLINE_S
    )


def test_every_test_of_the_javascript_client_passes() -> None:
    files = sorted(file.name for file in _FOLDER.glob("*.test.mjs"))
    done = _run("--test", "--test-reporter=tap", "--test-timeout=20000", *files)
    failed = re.findall(r"^\s*not ok \d+ - (.+)$", done.stdout, re.MULTILINE)
    assert not failed, "\n".join([*failed, done.stdout, done.stderr])
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^\s*ok \d+ - (.+)$", done.stdout, re.MULTILINE)
    written = [name for file in files for name in re.findall(r"^test\(", (_FOLDER / file).read_text(), re.MULTILINE)]
    assert len(passed) >= len(written) > 40


def test_a_javascript_test_that_fails_is_reported_as_failed(tmp_path: Path) -> None:
    (tmp_path / "red.test.mjs").write_text("import { test } from 'node:test';\ntest('is red', () => { throw 1; });\n")
    done = _run("--test", "--test-reporter=tap", str(tmp_path / "red.test.mjs"))
    assert done.returncode != 0
    assert re.findall(r"^\s*not ok \d+ - (.+)$", done.stdout, re.MULTILINE) == ["is red"]


def test_every_file_of_the_client_is_a_strict_module_of_moderate_size_that_needs_nothing_else() -> None:
    files = sorted([*CLIENT.glob("*.js"), *PAGES.glob("*.js")])
    assert {"client.js", "link.js"} <= {file.name for file in files}
    for file in files:
        text = file.read_text()
        assert len(text.splitlines()) <= _LONGEST_FILE, file.name
        assert max(map(len, text.splitlines())) <= 130, file.name
        imported = re.findall(r"from '([^']+)'", text)
        assert all((file.parent / name).exists() and name.startswith("./") for name in imported), (file.name, imported)
        assert _run("--check", str(file)).returncode == 0, file.name
