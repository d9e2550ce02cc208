"""Old names of tasks: those that an earlier release left waiting in the queue are found here."""

from vms.worker.tasks import ask_facts, follow, look_closer, operate, prepare, sync

__all__ = ["ask_facts", "follow", "look_closer", "operate", "prepare", "sync"]
