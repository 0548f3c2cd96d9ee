"""For any WSGI server: `klatsch.wsgi:application`."""

from django.core.wsgi import get_wsgi_application

django_application = get_wsgi_application()

# Below that line, as what these join has models, and models need Django set up.
from klatsch.api.ports import WithPorts  # noqa: E402
from klatsch.core.failures import end_on_uncaught  # noqa: E402
from klatsch.processes.wiring import make_ports  # noqa: E402

end_on_uncaught()
application = WithPorts(django_application, make_ports)
