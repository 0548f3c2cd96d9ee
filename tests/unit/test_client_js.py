"""The JavaScript client: runs its own tests, tests/unit/js/*.test.mjs, and reports those that fail by name."""

import re
import subprocess
from pathlib import Path

from tests.support.node import CLIENT, NODE, PAGES

_FOLDER = Path(__file__).parent / "js"
_DEADLINE_S = 120


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NODE, *arguments], cwd=_FOLDER, capture_output=True, text=True, check=False, timeout=_DEADLINE_S
    )


def test_every_test_of_the_javascript_client_passes() -> None:
    files = sorted(file.name for file in _FOLDER.glob("*.test.mjs"))
    done = _run("--test", "--test-reporter=tap", "--test-timeout=40000", *files)
    failed = re.findall(r"^\s*not ok \d+ - (.+)$", done.stdout, re.MULTILINE)
    assert not failed, "\n".join([*failed, done.stdout, done.stderr])
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.findall(r"^\s*ok \d+ - (.+)$", done.stdout, re.MULTILINE)
    written = [name for file in files for name in re.findall(r"^test\(", (_FOLDER / file).read_text(), re.MULTILINE)]
    assert len(passed) >= len(written) > 0


def test_no_file_of_the_client_imports_what_is_not_beside_it() -> None:
    files = sorted([*CLIENT.glob("*.js"), *PAGES.glob("*.js")])
    assert {"client.js", "link.js"} <= {file.name for file in files}
    for file in files:
        imported = re.findall(r"from '([^']+)'", file.read_text())
        assert all((file.parent / name).exists() and name.startswith("./") for name in imported), (file.name, imported)
