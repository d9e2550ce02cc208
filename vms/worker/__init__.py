"""The worker's process: takes jobs from the engine, and sees to it that there are some."""

from vms.worker.process import Worker

__all__ = ["Worker"]
