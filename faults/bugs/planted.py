"""`python -m faults.bugs.planted BUG ARGUMENTS`: what `manage.py ARGUMENTS` does, with that bug in it."""

import importlib
import os
import sys

import django
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "klatsch.settings")
    django.setup()
    name, *arguments = sys.argv[1:]
    importlib.import_module("faults.bugs.planting").plant(name)  # it imports models: not before the setup
    execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    main()
