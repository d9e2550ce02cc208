"""Address seen → baseline saved: a snapshot of the disk, of the running machine or after a shutdown; without memory."""

import re
from collections.abc import Callable
from functools import partial

from django.utils import timezone

from clusters import proxmox
from vms.models import MadeMachine, Operation, Snapshot
from vms.models.operations import ended as told
from vms.provisioning.engine.hand import Hand
from vms.provisioning.steps import lookup, verdicts
from vms.provisioning.steps.verdicts import NO_SNAPSHOTS
from vms.sentences import say

Call, Step = MadeMachine.Call, MadeMachine.Step

# Its name; a class reverts to the snapshot of this name, if it says no other.
NAME = "baseline"

EXISTS = re.compile(r"snapshot name '[^']*' already used")
IS_OFF = re.compile(r"not running")
STAYS_ON = re.compile(r"quit/powerdown failed")
TASKS = {Call.STOP: ("qmshutdown", "qmstop"), Call.SNAPSHOT: ("qmsnapshot",)}


def act(hand: Hand) -> None:
    made = hand.made
    if made.sent_what not in TASKS:
        _begin(hand)
    elif made.upid:
        hand.follow(made.sent_what, made.upid)
    else:
        types = TASKS[MadeMachine.Call(made.sent_what)]
        hand.call(lookup.task(made, *types), then=_looked, refused=verdicts.look_again)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    made, reason = hand.made, status.exit_status
    if made.sent_what == Call.STOP and (status.succeeded or IS_OFF.search(reason)):
        _is_off(hand)
    elif made.sent_what == Call.STOP and STAYS_ON.search(reason):
        _send(hand, Call.STOP, _stop)
    elif made.sent_what == Call.SNAPSHOT and (status.succeeded or EXISTS.search(reason)):
        _saved(hand)
    elif made.sent_what == Call.SNAPSHOT and NO_SNAPSHOTS.search(reason):
        _without(hand)
    else:
        verdicts.retry_or_fail(hand, verdicts.of_task(reason))


def _begin(hand: Hand) -> None:
    if not hand.take_slot(hand.made.node):
        return
    if hand.made.run.template.baseline_running:
        _send(hand, Call.SNAPSHOT, _save)
    else:
        _send(hand, Call.STOP, _shut_down)


def _send(hand: Hand, what: str, call: Callable[..., str]) -> None:
    made = hand.made
    hand.send(what, partial(call, node=made.node, vmid=made.vmid), then=_began, refused=_refused)


def _save(maker: proxmox.Maker, *, node: str, vmid: int) -> str:
    return maker.snapshot(node, vmid, NAME)


def _shut_down(maker: proxmox.Maker, *, node: str, vmid: int) -> str:
    return maker.shutdown(node, vmid)


def _stop(maker: proxmox.Maker, *, node: str, vmid: int) -> str:
    """It has no data of anybody yet, and cloud-init is done."""
    return maker.stop(node, vmid)


def _began(hand: Hand, upid: str) -> None:
    hand.began(hand.made.sent_what, upid)


def _is_off(hand: Hand) -> None:
    if hand.made.vm:
        hand.made.vm.observe("stopped", at=timezone.now(), lock="")
    _send(hand, Call.SNAPSHOT, _save)


def _saved(hand: Hand) -> None:
    made = hand.made
    hand.prove(Operation.Action.SNAPSHOT, made.upid, snapshot=NAME)
    if made.vm_id:  # unless a sync has seen it before
        seen = Snapshot(vm_id=made.vm_id, name=NAME, taken_at=made.sent_at)
        Snapshot.objects.bulk_create([seen], ignore_conflicts=True)
    hand.reached(Step.BASELINE_SAVED)


def _without(hand: Hand) -> None:
    hand.reached(Step.BASELINE_SAVED, **told(say("made-no-baseline")))


def _looked(hand: Hand, upid: str) -> None:
    """Without a task the cluster never received it. What is done already it refuses, and says so."""
    if upid:
        hand.began(hand.made.sent_what, upid)
    elif hand.is_settled:
        _send(hand, hand.made.sent_what, _save if hand.made.sent_what == Call.SNAPSHOT else _shut_down)
    else:
        hand.wait(2.0)


def _refused(hand: Hand, error: proxmox.ProxmoxError) -> None:
    is_stop = hand.made.sent_what == Call.STOP
    if is_stop and IS_OFF.search(error.reason):
        _is_off(hand)
    elif not is_stop and EXISTS.search(error.reason):
        _saved(hand)
    elif not is_stop and NO_SNAPSHOTS.search(error.reason):
        _without(hand)
    else:
        verdicts.retry_or_fail(hand, verdicts.of_error(error))
