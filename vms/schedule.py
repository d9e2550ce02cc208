"""Where the queue finds what is done regularly, by a name that is stored in it and never changes."""

from vms.worker.schedule import regular

__all__ = ["regular"]
