"""Where the queue finds its tasks, by names that are stored in it and never change."""

from vms.worker.tasks import ask_facts, follow, look_closer, operate, prepare, sync

__all__ = ["ask_facts", "follow", "look_closer", "operate", "prepare", "sync"]
