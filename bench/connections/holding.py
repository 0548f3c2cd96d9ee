"""Opens connections of a crew on a gateway and holds them idle: memory and CPU of each."""

import time

from bench.crew import Crew
from bench.meter import Meter
from bench.processes import OwnProcess
from bench.report import Result


def hold(crew: Crew, gateway: OwnProcess, connections: int, seconds: float) -> Result:
    """Lets the crew open all its connections there, waits while nobody sends, and returns what that took."""
    before_kib, began, cpu = gateway.rss_kib(), time.monotonic(), gateway.cpu_s()
    crew.ask("open")
    opened_s, opening_s = time.monotonic() - began, gateway.cpu_s() - cpu
    meter = Meter(lambda: {gateway.pid: "own gateway"})
    meter.begin()
    crew.begin_watch()
    began, cpu = time.monotonic(), gateway.cpu_s()
    time.sleep(seconds)
    share = (gateway.cpu_s() - cpu) / (time.monotonic() - began)
    used = meter.end(crew.end_watch())
    return Result(
        f"{connections:,} connections on one gateway, idle for {seconds:.0f} s",
        "connection",
        0,
        seconds,
        used=used,
        facts={
            "seconds in which all were opened": round(opened_s, 2),
            "CPU of the gateway to open a connection (µs)": round(opening_s / connections * 1e6),
            "RSS of a connection (KiB, at most 32 wanted)": round((gateway.rss_kib() - before_kib) / connections, 2),
            "CPU of the gateway (% of a core, less than 3 wanted)": round(share * 100, 2),
            "CPU of all processes (% of a core)": ", ".join(
                f"{kind} {cpu_s / used.seconds * 100:.2f}" for kind, cpu_s in used.cpu_s.items()
            ),
        },
    )
