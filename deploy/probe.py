"""Fails unless this container's process answers 200: `python probe.py /readyz`. Starts fast: standard library only."""

import http.client
import sys

_PATIENCE_S = 4


def answers(path: str, port: int = 8000) -> bool:
    """Asks once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        print(answer.status, answer.read(500).decode(errors="replace"))  # noqa: T201 - `docker inspect` shows it
    except (OSError, http.client.HTTPException) as error:
        print(type(error).__name__)  # noqa: T201 - as above
        return False
    return answer.status == http.HTTPStatus.OK


if __name__ == "__main__":
    sys.exit(0 if answers(sys.argv[1]) else 1)
