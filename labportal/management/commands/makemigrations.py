from django.core.management.commands import makemigrations

from labportal.autodetector import SchemaAutodetector


class Command(makemigrations.Command):
    autodetector = SchemaAutodetector
