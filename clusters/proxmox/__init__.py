"""The gateway to Proxmox VE: the only code that speaks to clusters.

with proxmox.connect(config, deadline=10.0) as pve:
    pve.resources()
"""

from clusters.proxmox.client import Client, connect, diagnose
from clusters.proxmox.errors import (
    BadAnswer,
    ConnectionRefused,
    CredentialUnreadable,
    Dropped,
    Forbidden,
    InvalidRequest,
    LoginRejected,
    NameNotFound,
    NoCredential,
    NodeDown,
    NotFound,
    ProxmoxError,
    Refused,
    TimedOut,
    Unreachable,
    Untrusted,
)
from clusters.proxmox.results import (
    ClusterStatus,
    Diagnosis,
    Guest,
    GuestStatus,
    NodeState,
    Power,
    Resources,
    TaskStatus,
    Upid,
    Version,
    parse_upid,
)

__all__ = [
    "BadAnswer",
    "Client",
    "ClusterStatus",
    "ConnectionRefused",
    "CredentialUnreadable",
    "Diagnosis",
    "Dropped",
    "Forbidden",
    "Guest",
    "GuestStatus",
    "InvalidRequest",
    "LoginRejected",
    "NameNotFound",
    "NoCredential",
    "NodeDown",
    "NodeState",
    "NotFound",
    "Power",
    "ProxmoxError",
    "Refused",
    "Resources",
    "TaskStatus",
    "TimedOut",
    "Unreachable",
    "Untrusted",
    "Upid",
    "Version",
    "connect",
    "diagnose",
    "parse_upid",
]
