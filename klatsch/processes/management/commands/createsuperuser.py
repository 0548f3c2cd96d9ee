from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.core.management.base import CommandError
from django.db import IntegrityError

from klatsch.processes.sentences import told_in_a_sentence


class Command(createsuperuser.Command):
    # Django's command asks whether exactly this username is taken. Klatsch's names and addresses are one in any case.
    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with told_in_a_sentence():  # Django looks for the tables before `handle`.
                return super().execute(*args, **options)
        except IntegrityError as error:
            raise CommandError("This username or e-mail address is taken. Nothing was changed.") from error
