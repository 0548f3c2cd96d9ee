"""Reads a request's cookies in linear time, for REST and for handshakes."""

from django.http.cookie import parse_cookie


def read_cookies(header: str) -> dict[str, str]:
    """Returns the cookies by name, without those that have a backslash: Klatsch sets none of them.

    Python before 3.11.10 and 3.12.6 takes a second to read a quoted value of 15 KB of them (CVE-2024-7592).
    """
    if "\\" in header:
        header = ";".join(cookie for cookie in header.split(";") if "\\" not in cookie)
    return parse_cookie(header)
