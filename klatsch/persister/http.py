"""The persister's small HTTP server: `/livez` and `/metrics`, for probes and Prometheus."""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from klatsch.core.exposition import CONTENT_TYPE, exposition, may_read

_PATIENCE_S = 5


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    token: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE_S  # of each read, so that a silent client does not hold a thread
    server_version = "klatsch"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path == "/livez":
            self._answer(HTTPStatus.OK, "application/json", b'{"alive": true}')
        elif self.path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"Here are /livez and /metrics.\n")
        elif not may_read(self.headers.get("Authorization", ""), self.server.token):
            self._answer(HTTPStatus.UNAUTHORIZED, "text/plain", b"Send the metrics token.\n")
        else:
            self._answer(HTTPStatus.OK, CONTENT_TYPE, exposition())

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Logs nothing: these lines would contain addresses."""


def serve_metrics(host: str, port: int, token: str) -> ThreadingHTTPServer:
    """Answers on its own thread until `shutdown`; raises OSError when the port cannot be used."""
    server = _Server((host, port), _Handler)
    server.token = token
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
