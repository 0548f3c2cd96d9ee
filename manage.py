#!/usr/bin/env python
"""Klatsch's commands: `manage.py help` lists them."""

import os
import sys

from django.core.management import execute_from_command_line

from klatsch import env

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "klatsch.settings")
    if sys.argv[1:2] in ([], ["help"]) or {"--help", "-h"} & set(sys.argv):
        env.stand_in_for_missing(os.environ)
    execute_from_command_line(sys.argv)
