"""Stored names of queue tasks (`vms.jobs.operate`, …), which never change. The code is in `vms.worker.tasks`."""

from vms.worker.tasks import ask_facts, follow, look_closer, make_machines, operate, prepare, sync

__all__ = ["ask_facts", "follow", "look_closer", "make_machines", "operate", "prepare", "sync"]
