"""What a cluster's refusal means for the machine that is being made, and what usually follows."""

import re
from dataclasses import dataclass
from enum import StrEnum

from clusters import proxmox
from vms.operations import failures
from vms.provisioning.engine.hand import Hand


class Then(StrEnum):
    """RETRY the call after a pause: nothing was carried out. LOOK what became of it. NEXT_ID: take another VMID."""

    RETRY = "retry"
    LOOK = "look"
    NEXT_ID = "next id"
    FAIL = "fail"


@dataclass(frozen=True)
class Verdict:
    """`words` say why, for the person who waits."""

    then: Then
    words: str


# What a task says whose worker was killed, or whose node went away: half of the machine may be there.
CUT_OFF = re.compile(r"unexpected status|interrupted by signal|Permission denied|no quorum")
NO_SNAPSHOTS = re.compile(r"snapshot feature is not available")

# Obstacles that end by themselves, with nothing carried out.
PASSING = (proxmox.Unreachable, proxmox.NodeDown, proxmox.NoQuorum, proxmox.Locked, proxmox.ChecksumMismatch)


def of_error(error: proxmox.ProxmoxError) -> Verdict:
    """Of a call that raised, or of a task that ended badly."""
    if error.sent or isinstance(error, proxmox.OutcomeUnknown):
        return Verdict(Then.LOOK, error.plain)
    if isinstance(error, proxmox.IdTaken):
        return Verdict(Then.NEXT_ID, error.plain)
    if isinstance(error, PASSING):
        return Verdict(Then.RETRY, error.plain)
    return Verdict(Then.FAIL, failures.explain(error.plain, error.reason))


def of_task(exit_status: str) -> Verdict:
    """Of a task that ended badly."""
    verdict = of_error(proxmox.task_error(exit_status))
    return Verdict(Then.LOOK, verdict.words) if CUT_OFF.search(exit_status) else verdict


def look_again(hand: Hand, error: proxmox.ProxmoxError) -> None:
    """The question what became of a call was refused itself."""
    hand.retry(error.plain)


def retry_or_fail(hand: Hand, verdict: Verdict) -> None:
    """Forget the call and begin the step anew, after a pause, where that may help."""
    if verdict.then == Then.LOOK and not hand.made.upid:
        hand.wait(1.0)
    elif verdict.then in (Then.RETRY, Then.LOOK):
        hand.retry(verdict.words, sent_what="", upid="")
    else:
        hand.fail(verdict.words, sent_what="", upid="")
