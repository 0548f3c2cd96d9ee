"""A gateway whose presence ages thirty times as fast: `python -m tests.support.quick_gateway gateway --port PORT`."""

import argparse
import os

import django

PUBLISH_ALL_S, KEPT_S, GRACE_S = 1.0, 3.0, 0.5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("process", choices=["gateway"])
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "klatsch.settings")
    django.setup()
    from klatsch.gateway.signals.signals import SignalTimes  # noqa: PLC0415 - models need Django
    from klatsch.processes.gateway import run  # noqa: PLC0415

    run(host=given.host, port=given.port, times=SignalTimes(PUBLISH_ALL_S, KEPT_S, GRACE_S))


if __name__ == "__main__":
    main()
