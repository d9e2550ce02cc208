"""The worker process: it runs the jobs of the queue, and enqueues those that are due."""

from vms.worker.process import Worker

__all__ = ["Worker"]
