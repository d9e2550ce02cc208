"""Configured → started: cloud-init runs, which sets the name, the user and the password."""

import re
from datetime import timedelta
from functools import partial

from django.utils import timezone

from clusters import proxmox
from vms.models import MadeMachine, Operation
from vms.models.operations import ended as ended_with
from vms.provisioning import quotas
from vms.provisioning.engine.hand import Hand
from vms.provisioning.steps import lookup, verdicts

Call, Step = MadeMachine.Call, MadeMachine.Step

# Seconds between two looks whether another machine was shut down.
QUOTA_PAUSE = 10.0

ALREADY = re.compile(r"already running")


def act(hand: Hand) -> None:
    made = hand.made
    if made.sent_what != Call.START:
        if full := quotas.refusal_to_start(made.cluster_id, made.run.machine_set_id, made.for_user_id):
            # Written down, so that nobody begins anew until then when this is all that there is to do.
            later = timezone.now() + timedelta(seconds=QUOTA_PAUSE)
            hand.write(next_look_at=later, **ended_with(full))
            hand.wait(QUOTA_PAUSE)
        elif hand.take_slot(made.node):
            hand.send(Call.START, partial(_start, node=made.node, vmid=made.vmid), then=_began, refused=_refused)
    elif made.upid:
        hand.follow(Call.START, made.upid)
    else:
        hand.call(lookup.task(made, "qmstart"), then=_looked, refused=verdicts.look_again)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    if status.succeeded or ALREADY.search(status.exit_status):
        _started(hand)
    else:
        verdicts.retry_or_fail(hand, verdicts.of_task(status.exit_status))


def _start(maker: proxmox.Maker, *, node: str, vmid: int) -> str:
    return maker.start(node, vmid)


def _began(hand: Hand, upid: str) -> None:
    hand.began(Call.START, upid)


def _started(hand: Hand) -> None:
    made = hand.made
    hand.prove(Operation.Action.START, made.upid)
    if made.vm:
        made.vm.observe("running", at=timezone.now(), lock="")
    hand.reached(Step.STARTED)


def _looked(hand: Hand, upid: str) -> None:
    """Without a task the cluster never received it; a machine that runs refuses another start."""
    if upid:
        hand.began(Call.START, upid)
    elif hand.is_settled:
        hand.write(sent_what="")
        hand.due = 0.0
    else:
        hand.wait(2.0)


def _refused(hand: Hand, error: proxmox.ProxmoxError) -> None:
    if ALREADY.search(error.reason):
        _started(hand)
    else:
        verdicts.retry_or_fail(hand, verdicts.of_error(error))
