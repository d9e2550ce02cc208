#!/usr/bin/env python
"""Lab Portal's command line."""

import gc
import io
import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

# What is imported stays: a look for garbage every 700 objects would take a tenth of each command's start.
gc.set_threshold(20_000)

if __name__ == "__main__":
    os.umask(0o077)  # a database, a backup and a sealed file are nobody else's
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labportal.settings")
    if isinstance(sys.stdout, io.TextIOWrapper):  # none where it was closed
        sys.stdout.reconfigure(line_buffering=True)  # in a log or a pipe, too, what is said is there at once
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Lab Portal cannot start: {error}")
