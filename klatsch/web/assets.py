"""The page's modules and styles: compressed, and kept for good by browsers under a path that names their content.

One digest stands for all files, so that a module's relative imports stay within the version it belongs to.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

ENTRY: Final = "page/shell.js"
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_IMPORT: Final = re.compile(r"""^(?:import|export)\b[^'"(]*?['"](\.{1,2}/[^'"]+)['"]""", re.MULTILINE)
_DIGEST_CHARACTERS: Final = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A file: its bytes, those bytes compressed, and its media type."""

    plain: bytes
    packed: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files by path, with the digest that names them together."""

    version: str
    files: dict[str, Asset]

    def url(self, path: str) -> str:
        """Returns where a file of this version is served."""
        return f"/{settings.STATIC_URL.strip('/')}/klatsch-{self.version}/{path}"

    def modules(self, entry: str) -> list[str]:
        """Returns a module and all that it imports statically, in the order in which they are found."""
        found: dict[str, None] = {}
        waiting = [entry]
        while waiting:
            path = waiting.pop(0)
            if path not in found:
                found[path] = None
                waiting += _imports(path, self.files[path].plain.decode())
        return list(found)


def _imports(path: str, text: str) -> Iterator[str]:
    for name in _IMPORT.findall(text):
        yield str((Path("/") / path).parent.joinpath(name).resolve().relative_to("/"))


@cache
def load_assets() -> Assets:
    """Reads all files once: they come with the program and do not change while it runs."""
    page = Path(__file__).parent / "static" / "klatsch" / "page"
    client = settings.BASE_DIR / "clients" / "js" / "src"
    found = {f"page/{file.relative_to(page).as_posix()}": file for file in page.rglob("*") if file.suffix in _TYPES}
    found |= {file.name: file for file in client.glob("*.js")}
    digest = hashlib.sha256()
    files = {}
    for path, file in sorted(found.items()):
        plain = file.read_bytes()
        digest.update(path.encode() + b"\0" + plain)
        files[path] = Asset(plain, gzip.compress(plain, mtime=0), _TYPES[file.suffix])
    return Assets(digest.hexdigest()[:_DIGEST_CHARACTERS], files)


@require_safe
def serve_asset(request: HttpRequest, version: str, path: str) -> HttpResponse:
    """Answers a file. During an upgrade another version may be asked for: the present file, which is not to be kept."""
    assets = load_assets()
    asset = assets.files.get(path)
    if asset is None:
        return HttpResponse("There is no such file.", "text/plain", 404)
    is_packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(asset.packed if is_packed else asset.plain, asset.media_type)
    if is_packed:
        response["Content-Encoding"] = "gzip"
    response["Vary"] = "Accept-Encoding"
    response["Cache-Control"] = _FOR_GOOD if version == assets.version else "no-store"
    return response
