"""A small Proxmox VE which exists only on 127.0.0.1: a test double, and the clusters of a demonstration."""

from pvesim.accounts import Token, User
from pvesim.clock import Clock, ManualClock, RealClock
from pvesim.cluster import Cluster
from pvesim.control import Control
from pvesim.faults import FaultInjector
from pvesim.figures import QUIET, Figures, Load
from pvesim.guests import Guest
from pvesim.power import Durations
from pvesim.request_log import Request
from pvesim.simulator import Simulator
from pvesim.tasks import Task

__all__ = [
    "QUIET",
    "Clock",
    "Cluster",
    "Control",
    "Durations",
    "FaultInjector",
    "Figures",
    "Guest",
    "Load",
    "ManualClock",
    "RealClock",
    "Request",
    "Simulator",
    "Task",
    "Token",
    "User",
]
