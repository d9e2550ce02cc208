"""Stored name of a queue task (`vms.schedule.regular`), which never changes. The code is in `vms.worker.schedule`."""

from vms.worker.schedule import regular

__all__ = ["regular"]
