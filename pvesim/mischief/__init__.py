"""What can go wrong with a cluster, by name. Everything can be undone at once."""

from pvesim.mischief.certificates import CertificateFaults
from pvesim.mischief.consoles import ConsoleFaults
from pvesim.mischief.guests import GuestFaults
from pvesim.mischief.logins import LoginFaults
from pvesim.mischief.nodes import NodeFaults
from pvesim.mischief.tasks import TaskFaults

__all__ = ["Mischief"]


class Mischief(NodeFaults, LoginFaults, CertificateFaults, TaskFaults, GuestFaults, ConsoleFaults):
    """The faults of one cluster: those of single answers, which wear off, and those of the cluster itself."""
