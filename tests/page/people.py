"""A person at a browser: a context of their own, the tab that they look at, and what can befall it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

from tests.page.site import Member, Site
from tests.page.watch import Watch

DEADLINE_MS: Final = 60_000
"""Of what a test waits for. Long, because a busy machine is slow and breaks nothing."""
WIDE: Final = (1280, 800)
NARROW: Final = (360, 740)

_HIDEABLE: Final = """
(() => {
  let hidden = false;
  Object.defineProperty(document, 'visibilityState', { get: () => (hidden ? 'hidden' : 'visible') });
  Object.defineProperty(document, 'hidden', { get: () => hidden });
  globalThis.setHiddenForTest = (value) => {
    hidden = value;
    document.dispatchEvent(new Event('visibilitychange'));
  };
})();
"""
"""A headless browser never hides a tab, so the tab is told that it is hidden."""


class Person:
    """Somebody with a browser of their own. `member` is None for a person who has no account or is signed out."""

    def __init__(self, context: BrowserContext, site: Site, member: Member | None) -> None:
        self.context = context
        self.site = site
        self.member = member
        self.page: Page = context.new_page()

    @property
    def signed_in(self) -> Member:
        """Returns the member who is signed in here."""
        assert self.member is not None
        return self.member

    @property
    def username(self) -> str:
        return self.signed_in.username

    def ask(self, method: str, path: str, json: Any = None) -> Any:
        """Makes a request below /api/v1 in this person's name, outside the browser."""
        return self.signed_in.ask(method, path, json)

    def open(self, path: str = "/") -> Page:
        """Goes to a path of the site in the person's tab."""
        self.page.goto(f"{self.site.origin}{path}")
        return self.page

    def open_tab(self, path: str = "/") -> Page:
        """Opens another tab of the same browser, and goes to the path there."""
        page: Page = self.context.new_page()
        page.goto(f"{self.site.origin}{path}")
        return page

    @contextlib.contextmanager
    def offline(self) -> Iterator[None]:
        """Pulls the network cable: nothing goes out or comes in, and open connections hang."""
        self.context.set_offline(True)
        try:
            yield
        finally:
            self.context.set_offline(False)

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """Puts the tab to sleep: no script and no timer of it runs, as on a laptop whose lid is closed."""
        session: CDPSession = self.context.new_cdp_session(self.page)
        session.send("Debugger.enable")
        session.send("Debugger.pause")
        try:
            yield
        finally:
            session.send("Debugger.resume")
            session.send("Debugger.disable")
            session.detach()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Hides the tab behind another one."""
        self.page.evaluate("setHiddenForTest(true)")
        try:
            yield
        finally:
            self.page.evaluate("setHiddenForTest(false)")

    @contextlib.contextmanager
    def blurred(self) -> Iterator[None]:
        """Takes the focus from the window, which stays visible."""
        session: CDPSession = self.context.new_cdp_session(self.page)
        session.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
        other: Page = self.context.new_page()
        other.bring_to_front()
        try:
            yield
        finally:
            other.close()
            session.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
            session.detach()
            self.page.bring_to_front()


class People:
    """Opens browser contexts for people, and watches all of them."""

    def __init__(self, browser: Browser, site: Site, watch: Watch) -> None:
        self._browser = browser
        self._site = site
        self._watch = watch
        self.opened: list[Person] = []
        self.on_page: Callable[[Page], object] = lambda _: None
        """Told of each new tab, before anything is loaded in it."""

    def person(
        self, member: Member | None = None, *, size: tuple[int, int] = WIDE, theme: str = "light", **options: Any
    ) -> Person:
        """Opens a browser for somebody; `options` are Playwright's for a context."""
        width, height = size
        context: BrowserContext = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            **{"locale": "en-GB", "timezone_id": "Europe/Berlin", "reduced_motion": "reduce", **options},
        )
        context.set_default_timeout(DEADLINE_MS)
        context.add_init_script(_HIDEABLE)
        self._watch.follow(context)
        context.on("page", self.on_page)
        if member is not None:
            context.add_cookies([_cookie(cookie, self._site.origin) for cookie in member.rest.cookies.jar])
        opened = Person(context, self._site, member)
        self.opened.append(opened)
        return opened

    def member(self, name: str | None = None, **options: Any) -> Person:
        """Registers somebody new and opens a browser in which they are signed in."""
        return self.person(self._site.register(name), **options)

    def close(self) -> None:
        for person in self.opened:
            person.context.close()


def _cookie(cookie: Any, origin: str) -> dict[str, Any]:
    return {"name": cookie.name, "value": cookie.value, "url": origin, "httpOnly": cookie.name != "csrftoken"}


def check_axe(page: Page) -> None:
    """Fails where axe finds anything on what the page shows now."""
    results = Axe().run(page)
    found = [
        f"{one['id']}: {one['help']}: {node['html'][:300]} {node.get('failureSummary', '')}"
        for one in results.response["violations"]
        for node in one["nodes"]
    ]
    assert not found, "\n".join(found)
