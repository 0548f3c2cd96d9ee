"""What a session or a token was used with, in two words: enough to know one's own, too little to know a person by."""

import re

from django.http import HttpRequest

from klatsch.accounts.texts import DEVICE_CHARACTERS_MOST

# The first that is named counts: browsers also name those that they descend from.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")
_PRODUCT = re.compile(r"[A-Za-z0-9_.-]+(/[0-9.]+)?")


def device_of(http: HttpRequest) -> str:
    """Such as `Firefox on Linux`, or `curl/8.5`; empty where nothing is said."""
    agent = http.META.get("HTTP_USER_AGENT", "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for name in _SYSTEMS if name in agent), None)
    if browser is None:
        product = _PRODUCT.match(agent)
        return product[0][:DEVICE_CHARACTERS_MOST] if product else ""
    return f"{browser} on {system}" if system else browser
