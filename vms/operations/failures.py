"""Refusals of a cluster whose reason is known, in words for the people who asked."""

import re

from clusters.proxmox.errors import quoted
from vms.sentences import say

# What Proxmox VE writes, in tasks and in responses, and the code of what it means.
KNOWN = [
    (re.compile(r"more recent snapshots? exist|is not most recent snapshot"), "newer-snapshots"),
    (re.compile(r"snapshot feature is not available"), "no-snapshots-possible"),
    (re.compile(r"incomplete snapshot"), "snapshot-incomplete"),
    (re.compile(r"snapshot '[^']*' does not exist"), "snapshot-gone"),
    (re.compile(r"snapshot name '[^']*' already used"), "snapshot-name-taken"),
    (re.compile(r"volume '[^']*' does not exist|no such logical volume|dataset does not exist"), "disk-missing"),
    (re.compile(r"out of space|No space left|not enough free space", re.IGNORECASE), "storage-full"),
    (re.compile(r"copy failed: command '[^']*qemu-img"), "copy-failed"),
    (re.compile(r"[Cc]annot allocate memory"), "node-memory-full"),
    (re.compile(r"quit/powerdown failed|lxc-stop .*--nokill"), "did-not-shut-down"),
    (re.compile(r"service '[^']*' in error state"), "ha-error"),
]


def explain(plain: str, reason: str) -> str:
    """The message about a failure: with what it means, if `reason`, the cluster's own words, is known."""
    code = next((code for pattern, code in KNOWN if pattern.search(reason)), "")
    return say("explained", why=say(code), quoted=quoted(reason)) if code else plain
