"""Runs in each worker of `manage.py api`. `klatsch.processes.api` starts the workers, and they end with it."""

import gc

from django.conf import settings

from klatsch.api.rsgi import Rsgi
from klatsch.core.parent import die_with_parent
from klatsch.postgres.base import ANSWER_S, BoundedConnection
from klatsch.wsgi import application as wsgi

die_with_parent()
BoundedConnection.answer_s = ANSWER_S
application = Rsgi(wsgi, settings.ENV["KLATSCH_API_THREADS"], wsgi.finish)

# What is loaded stays: each collection would look at all of it again.
gc.collect()
gc.freeze()
