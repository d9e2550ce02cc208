"""What can go wrong with a cluster, by name. Everything can be undone at once."""

from pvesim.faults.certificates import CertificateFaults
from pvesim.faults.consoles import ConsoleFaults
from pvesim.faults.guests import GuestFaults
from pvesim.faults.logins import LoginFaults
from pvesim.faults.nodes import NodeFaults
from pvesim.faults.provisioning import ProvisioningFaults
from pvesim.faults.tasks import TaskFaults

__all__ = ["FaultInjector"]


class FaultInjector(
    NodeFaults, LoginFaults, CertificateFaults, TaskFaults, GuestFaults, ConsoleFaults, ProvisioningFaults
):
    """The faults of one cluster: those of single answers, which wear off, and those of the cluster itself."""
