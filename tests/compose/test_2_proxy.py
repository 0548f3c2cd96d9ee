"""Through the proxy: REST, WebSockets, static files, and what it keeps from the processes behind it."""

import socket
import ssl
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.compose.stack import Stack, wait_until
from tests.compose.talk import conversation, history, rest

_HEADER_S = 10
_AT_ONCE, _ASKS = 16, 50
"""Several times what nginx lets one address ask for: 50 at once in the admin, and 100 a second."""


def get(stack: Stack, path: str) -> httpx.Response:
    return httpx.get(f"{stack.url}{path}", trust_env=False, timeout=20)


def test_two_people_talk_over_rest(stack: Stack) -> None:
    ana, bob = stack.people(2)
    with rest(stack, ana) as http:
        sent = http.post(f"users/{bob['username']}/messages", json={"content": "Hello, Bob"})
    assert sent.status_code == 201
    assert history(stack, bob, ana) == [(1, sent.json()["id"], "Hello, Bob")]


async def test_two_people_talk_over_websockets(stack: Stack) -> None:
    async with conversation(stack):
        pass


def test_pages_and_static_files_come_through_and_the_latter_are_kept(stack: Stack) -> None:
    assert get(stack, "/api/docs").status_code == 200
    path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
    first, second = get(stack, path), get(stack, path)
    assert first.content == second.content
    assert (first.status_code, second.headers["X-Cache"]) == (200, "HIT")
    assert len(first.content) > 100_000


def test_how_much_is_said_here_is_nobodys_business(stack: Stack) -> None:
    assert get(stack, "/metrics").status_code == 404
    token = (stack.folder / "secrets" / "metrics_token").read_text().strip()
    ask = (
        "import sys, urllib.request as u\n"
        "print(u.urlopen(u.Request(sys.argv[1], headers={'Authorization': sys.argv[2]})).read())"
    )
    for service in ("gateway", "api", "persister"):
        shown = stack.inside(service, "python", "-c", ask, "http://127.0.0.1:8000/metrics", f"Bearer {token}")
        assert "klatsch_" in shown


def test_who_sends_a_request_byte_by_byte_is_cut_off(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.port), timeout=_HEADER_S + 10) as slow:
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        began_s = time.monotonic()
        assert slow.recv(1) == b""
        assert _HEADER_S - 1 < time.monotonic() - began_s < _HEADER_S + 8


def test_what_a_client_says_of_its_own_address_is_not_believed(stack: Stack) -> None:
    """Django is told the scheme by the proxy alone: with the secure cookies of https it would redirect."""
    lying = httpx.get(f"{stack.url}/api/v1/me", headers={"X-Forwarded-For": "1.2.3.4"}, trust_env=False)
    assert lying.status_code == 401
    assert '"from":"1.2.3.4"' not in stack.compose("logs", "--no-log-prefix", "proxy")


def test_who_asks_too_often_is_told_so_and_served_again_a_moment_later(stack: Stack) -> None:
    def ask(_: int) -> list[int]:
        with httpx.Client(base_url=stack.url, trust_env=False, timeout=20) as http:
            return [http.get("/admin/").status_code for _ in range(_ASKS)]

    with ThreadPoolExecutor(_AT_ONCE) as several:
        answers = Counter(status for statuses in several.map(ask, range(_AT_ONCE)) for status in statuses)
    assert answers.keys() == {302, 429}
    wait_until(lambda: get(stack, "/admin/").status_code == 302, "it is served again", 5)


def test_a_body_that_is_too_large_goes_no_further(stack: Stack) -> None:
    sent = httpx.post(f"{stack.url}/api/v1/auth/login", content=b"x" * 300_000, trust_env=False)
    assert sent.status_code == 413
    assert "nginx" in sent.text


def test_the_proxy_ends_tls_where_there_is_a_certificate(stack: Stack) -> None:
    folder = stack.folder / "secrets" / "tls"
    key, certificate = folder / "privkey.pem", folder / "fullchain.pem"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    argv = [*make, *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    key.chmod(0o444)
    try:
        stack.compose("restart", "--no-deps", "proxy")
        wait_until(lambda: stack.healthy("proxy"), "the proxy is back")
        trusted = ssl.create_default_context(cafile=certificate)
        address = f"https://127.0.0.1:{stack.port}/api/v1/me"
        assert httpx.get(address, verify=trusted, trust_env=False).status_code == 401
        plain = get(stack, "/api/v1/me")
        assert (plain.status_code, plain.headers["Location"]) == (308, address)
    finally:
        key.unlink()
        certificate.unlink()
        stack.compose("restart", "--no-deps", "proxy")
        wait_until(lambda: stack.healthy("proxy"), "the proxy is back")
