"""The device of a session or token in a few words: its owner recognizes it, but it does not identify a person."""

import re

from django.http import HttpRequest

from klatsch.accounts.texts import DEVICE_CHARACTERS_MOST

# The first match counts: browsers also name the browsers that they descend from.
_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")
_PRODUCT = re.compile(r"[A-Za-z0-9_.-]+(/[0-9.]+)?")


def device_of(http: HttpRequest) -> str:
    """Returns the request's device, such as `Firefox on Linux` or `curl/8.5`; empty without a User-Agent."""
    agent = http.META.get("HTTP_USER_AGENT", "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), None)
    system = next((name for name in _SYSTEMS if name in agent), None)
    if browser is None:
        product = _PRODUCT.match(agent)
        return product[0][:DEVICE_CHARACTERS_MOST] if product else ""
    return f"{browser} on {system}" if system else browser
