"""A refusal as people see it in a browser, in the style of the page. Its address and its code are for programs."""

import json
from html import escape
from typing import Final

from klatsch.core import problems
from klatsch.core.problems import Problem

POLICY_WITHOUT_IMAGES: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The Content-Security-Policy that all pages share. Each says which images it shows."""
POLICY: Final = f"{POLICY_WITHOUT_IMAGES}; img-src 'self'"
"""The policy of a page that asks for no data."""
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": POLICY,
}

_WORDS: Final[dict[int, tuple[str, str]]] = {
    400: ("This request cannot be read", "The address may be mistyped. Go back, then try again."),
    403: ("You are not allowed to do this", "Sign in with an account that may, then load the page again."),
    404: ("There is nothing here", "The address may be mistyped, or you may not see what it leads to."),
    500: ("Something went wrong", "The fault is ours, and it has been logged. Try again later."),
    503: ("Klatsch is not available right now", ""),
}
_OTHERS: Final = ("This did not work", "")
"""Without a text of its own, a page has the problem's: it says what is full or away, and when to try again."""
_PAGE: Final = """<!DOCTYPE html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Klatsch</title>
<script src="/static/klatsch/page/theme.js"></script>
<link rel="stylesheet" href="/static/klatsch/page/base.css">
<link rel="icon" href="/static/klatsch/page/icon.svg">
</head>
<body>
<main class="empty">
<h1>{title}</h1>
<p>{text}</p>
<a class="button primary" href="/">Go to your conversations</a>
<p class="sub">Error {status}</p>
</main>
</body>
</html>
"""


def wants_page(path: str, accept: str) -> bool:
    """Returns whether a refusal is for a person at a browser: it asks for HTML, and not for the API."""
    return not path.startswith("/api/") and "text/html" in accept


def answer_of(problem: Problem, *, page: bool) -> tuple[dict[str, str], bytes]:
    """Returns a refusal's headers and body: a page for people, JSON for programs."""
    if page:
        return {**_HEADERS, **problem.headers()}, _page_of(problem)
    return {"Content-Type": problems.CONTENT_TYPE, **problem.headers()}, json.dumps(problem.body()).encode()


def _page_of(problem: Problem) -> bytes:
    """Returns the whole document. It repeats nothing that was sent."""
    title, text = _WORDS.get(problem.status, _OTHERS)
    return _PAGE.format(title=escape(title), text=escape(text or problem.detail), status=problem.status).encode()
