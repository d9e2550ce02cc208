"""Removes a machine: only if mark, VMID and SMBIOS UUID, read at that moment, are those that were stored.

Look, write the configuration with the digest of that look, stop, look again, destroy. Whatever else is found under
the VMID stays as it is.
"""

from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from django.utils import timezone

from clusters import proxmox
from vms.models import Assignment, MadeMachine, Operation, VirtualMachine
from vms.models.operations import ended as told
from vms.provisioning import handing_over, networks
from vms.provisioning.engine.hand import MAX_TRIES, Hand
from vms.provisioning.steps import lookup, verdicts
from vms.provisioning.steps.verdicts import Then
from vms.sentences import say

Call, State = MadeMachine.Call, MadeMachine.State

# What is written to see whether the configuration is still the one that was read. A machine that is being removed
# does not start with its node.
HARMLESS = {"onboot": 0}


@dataclass(frozen=True)
class Seen:
    """What is there under the VMID: its configuration, on which node, and whether it runs. None: it cannot be read."""

    config: proxmox.GuestConfig | None = None
    node: str = ""
    is_running: bool = False
    is_free: bool = False


class Verdict(Enum):
    OURS = auto()
    GONE = auto()
    ANOTHERS = auto()
    BUSY = auto()
    REFUSED = auto()


def judge(made: MadeMachine, seen: Seen) -> tuple[Verdict, str]:
    """What this is, and why it is not touched, in words."""
    if seen.config is None:
        unseen = say("remove-unseen", vmid=made.vmid)
        return (Verdict.GONE, "") if seen.is_free else (Verdict.REFUSED, unseen)
    return _identity(made, seen.config) or _obstacle(made, seen.config, seen.node) or (Verdict.OURS, "")


def _identity(made: MadeMachine, config: proxmox.GuestConfig) -> tuple[Verdict, str] | None:
    """None for our own. One that neither the mark nor the UUID calls ours has come after ours was gone."""
    is_marked, is_same = config.mark == str(made.mark), bool(made.uuid) and config.smbios_uuid == made.uuid
    if not is_marked and not is_same and made.uuid:
        return Verdict.ANOTHERS, say("remove-anothers", vmid=made.vmid)
    if not is_marked or not (is_same or _is_unread(made, config)):
        return Verdict.REFUSED, say("remove-not-ours", vmid=made.vmid)
    return None


def _obstacle(made: MadeMachine, config: proxmox.GuestConfig, node: str) -> tuple[Verdict, str] | None:
    if config.lock == "clone":
        return Verdict.REFUSED, say("made-stuck", vmid=made.vmid, node=node)
    if config.template or config.protection:
        return Verdict.REFUSED, say("remove-template" if config.template else "remove-protected", vmid=made.vmid)
    if config.lock and config.lock != "suspended":
        return Verdict.BUSY, say("made-held")
    return None


def _is_unread(made: MadeMachine, config: proxmox.GuestConfig) -> bool:
    """It was cloned and got no further, so nobody has had it, and its UUID was never read."""
    return not made.uuid and made.vm_id is None and bool(config.smbios_uuid)


# The step


def act(hand: Hand) -> None:
    made = hand.made
    if made.sent_what in (Call.CLONE, Call.STOP, Call.DESTROY) and made.upid:
        hand.follow(made.sent_what, made.upid)
    elif made.sent_what == Call.CLONE:
        hand.call(lookup.clone(made), then=_clone_looked, refused=_later)
    elif made.sent_what == Call.DESTROY:
        hand.call(lookup.task(made, "qmdestroy"), then=_destroy_looked, refused=_later)
    else:
        hand.call(_look(made), then=_seen, refused=_later)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    """However the clone ended, what it left is looked at; and so is what was stopped."""
    what = hand.made.sent_what
    if what == Call.DESTROY and status.succeeded:
        _destroyed(hand)
    elif what == Call.DESTROY:
        _failed(hand, verdicts.of_task(status.exit_status))
    elif what == Call.STOP and status.succeeded:
        hand.write(sent_what="", upid="")
        hand.call(_look(hand.made), then=_seen_again, refused=_later)
    elif what == Call.STOP:
        _failed(hand, verdicts.of_task(status.exit_status))
    else:
        hand.write(sent_what="", upid="")
        hand.due = 0.0


# Looking


def _look(made: MadeMachine) -> "partial[Seen]":
    nodes = tuple(dict.fromkeys((made.node, made.template_node)))
    return partial(look, nodes=nodes, vmid=made.vmid)


def look(maker: proxmox.Maker, *, nodes: tuple[str, ...], vmid: int) -> Seen:
    """On the nodes where it should be, and else wherever the cluster lists it."""
    for node in nodes:
        if found := _on(maker, node, vmid):
            return found
    if maker.is_free(vmid):
        return Seen(is_free=True)
    listed = [guest.node for guest in maker.resources().guests if guest.vmid == vmid and guest.node not in nodes]
    return next(filter(None, (_on(maker, node, vmid) for node in listed)), Seen())


def _on(maker: proxmox.Maker, node: str, vmid: int) -> Seen | None:
    try:
        config = maker.config(node, vmid)
        return Seen(config, node, is_running=maker.guest_status(node, vmid).status == "running")
    except (proxmox.NotFound, proxmox.PermissionMissing):
        return None


def _seen(hand: Hand, seen: Seen) -> None:
    config = _ours(hand, seen)
    if config is None:
        return
    call = partial(_write, node=hand.made.node, vmid=hand.made.vmid, digest=config.digest)
    then = partial(_written, seen.is_running)
    hand.send(Call.CONFIG, call, then=then, refused=_refused, state=State.REMOVING, uuid=config.smbios_uuid)


def _seen_again(hand: Hand, seen: Seen) -> None:
    """Right before it is destroyed."""
    if _ours(hand, seen) is None:
        return
    if seen.is_running:
        _again(hand, say("remove-runs"))
    elif hand.take_slot(hand.made.node):
        _send(hand, Call.DESTROY)


def _ours(hand: Hand, seen: Seen) -> proxmox.GuestConfig | None:
    """The configuration if the machine may be removed. Otherwise what follows was begun, and it is None."""
    verdict, words = judge(hand.made, seen)
    if verdict == Verdict.OURS:
        if seen.node != hand.made.node:
            hand.write(node=seen.node)  # somebody moved it
        return seen.config
    if verdict == Verdict.GONE:
        _gone(hand, say("remove-was-gone"))
    elif verdict == Verdict.ANOTHERS:
        _gone(hand, words)
    elif verdict == Verdict.BUSY:
        _again(hand, words)
    else:
        _leave(hand, words)
    return None


def _clone_looked(hand: Hand, found: lookup.Found) -> None:
    """It was sent just before somebody undid the run."""
    if found.upid and not (found.is_ours and not found.lock):
        hand.began(Call.CLONE, found.upid)
    elif found.is_there or hand.is_settled:
        hand.write(sent_what="", upid="")
        hand.due = 0.0
    else:
        hand.wait(2.0)


def _destroy_looked(hand: Hand, upid: str) -> None:
    if upid:
        hand.began(Call.DESTROY, upid)
    elif hand.is_settled:
        hand.write(sent_what="", upid="")
        hand.due = 0.0
    else:
        hand.wait(2.0)


# Acting


def _write(maker: proxmox.Maker, *, node: str, vmid: int, digest: str) -> None:
    maker.configure(node, vmid, digest=digest, **HARMLESS)


def _written(is_running: bool, hand: Hand, _nothing: None) -> None:
    hand.write(sent_what="")
    if not is_running:
        hand.call(_look(hand.made), then=_seen_again, refused=_later)
    elif hand.take_slot(hand.made.node):
        _send(hand, Call.STOP)


def _send(hand: Hand, what: str) -> None:
    call = partial(_begin, what=what, node=hand.made.node, vmid=hand.made.vmid)
    hand.send(what, call, then=_began, refused=_refused, state=State.REMOVING)


def _begin(maker: proxmox.Maker, *, what: str, node: str, vmid: int) -> str:
    return maker.stop(node, vmid) if what == Call.STOP else maker.destroy(node, vmid)


def _began(hand: Hand, upid: str) -> None:
    hand.began(hand.made.sent_what, upid)


def _refused(hand: Hand, error: proxmox.ProxmoxError) -> None:
    verdict = verdicts.of_error(error)
    if verdict.then == Then.LOOK:
        hand.wait(1.0)  # the answer was lost: the step finds out
    elif isinstance(error, proxmox.StillRunning | proxmox.NotFound | proxmox.PermissionMissing):
        _again(hand, verdict.words)
    else:
        _failed(hand, verdict)


def _later(hand: Hand, error: proxmox.ProxmoxError) -> None:
    _again(hand, error.plain, keeps_call=True)


def _failed(hand: Hand, verdict: verdicts.Verdict) -> None:
    if verdict.then in (Then.RETRY, Then.LOOK):
        _again(hand, verdict.words)
    else:
        _leave(hand, verdict.words)


def _again(hand: Hand, words: str, *, keeps_call: bool = False) -> None:
    """From the first look, after a pause; or look once more what became of the call."""
    fields = {} if keeps_call else {"sent_what": "", "upid": ""}
    if hand.made.tries >= MAX_TRIES:
        _leave(hand, words)
    else:
        hand.retry(words, **fields)


# Ends


def _leave(hand: Hand, words: str) -> None:
    """It is listed with the reason, and counts on. Somebody may have it looked at again."""
    hand.finish(State.REFUSED, sent_what="", upid="", **told(words))


def _destroyed(hand: Hand) -> None:
    hand.prove(Operation.Action.DESTROY, hand.made.upid)
    _gone(hand, "")


def _gone(hand: Hand, words: str) -> None:
    made, now = hand.made, timezone.now()
    if made.vm_id:
        Assignment.objects.filter(vm=made.vm_id).end()
        Assignment.objects.unreleased().filter(vm=made.vm_id).update(released_at=now)
        VirtualMachine.objects.present().filter(pk=made.vm_id).update(gone_at=now)
    if made.vm:
        for leave in handing_over.leavers:
            leave(made.vm)
    hand.finish(State.REMOVED, removed_at=now, password=None, sent_what="", **told(words))
    if made.lease_id:
        networks.return_unused([made.lease_id])
