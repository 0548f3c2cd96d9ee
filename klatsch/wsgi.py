"""The application for any WSGI server: `klatsch.wsgi:application`."""

import django

django.setup(set_prefix=False)

# Below django.setup(): these modules import models, which need Django set up.
from klatsch.api.ports import WithPorts  # noqa: E402
from klatsch.api.requests import Handler  # noqa: E402
from klatsch.core.failures import end_on_uncaught  # noqa: E402
from klatsch.processes.wiring import make_ports, request_rates  # noqa: E402

end_on_uncaught()
application = WithPorts(Handler(), make_ports, request_rates())
