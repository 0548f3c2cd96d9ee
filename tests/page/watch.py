"""Notes what no page may do: break its policy, log an error, throw, or ask another host for anything."""

import re
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

_OF_THE_NETWORK: Final = re.compile(
    r"Failed to load resource|WebSocket connection to|net::ERR_|was interrupted while the page was loading"
)
"""A browser's own log lines about an answer or a lost network. The page is not at fault."""
_NEVER_LOADED: Final = 400

_REPORT_VIOLATIONS: Final = """
addEventListener('securitypolicyviolation', (event) => {
  console.error(`policy: ${event.effectiveDirective} blocked ${event.blockedURI} ${event.sample}`);
});
"""


class Watch:
    """Collects the complaints about all pages of a test. `allow` takes what a test causes on purpose."""

    def __init__(self, origins: set[str]) -> None:
        self._hosts = {urlsplit(origin).netloc for origin in origins}
        self._allowed: list[re.Pattern[str]] = []
        self._complaints: list[str] = []

    def allow(self, pattern: str) -> None:
        self._allowed.append(re.compile(pattern))

    def follow(self, context: BrowserContext) -> None:
        """Watches all pages of a context, from their beginning."""
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("console", self._hear)
        context.on("request", self._see_request)
        context.on("response", self._see_response)
        context.on("page", self._follow_page)

    def complaints(self) -> list[str]:
        return [one for one in self._complaints if not any(pattern.search(one) for pattern in self._allowed)]

    def _follow_page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._complaints.append(f"thrown: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _OF_THE_NETWORK.search(message.text):
            self._complaints.append(f"logged: {message.text}")

    def _see_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.netloc not in self._hosts:
            self._complaints.append(f"asked another host: {request.url}")

    def _see_response(self, response: Response) -> None:
        if "/static/" in response.url and response.status >= _NEVER_LOADED:
            self._complaints.append(f"not loaded: {response.url} ({response.status})")
