"""For any WSGI server: `klatsch.wsgi:application`."""

from django.core.wsgi import get_wsgi_application

from klatsch.api.ports import Ports, WithPorts


def _make_ports() -> Ports:
    # Imported here, as what it joins has models, and these need the call below first.
    from klatsch.processes.wiring import make_ports  # noqa: PLC0415

    return make_ports()


application = WithPorts(get_wsgi_application(), _make_ports)
