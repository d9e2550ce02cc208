from django.core.management.commands import migrate

from labportal.autodetector import SchemaAutodetector


class Command(migrate.Command):
    autodetector = SchemaAutodetector
