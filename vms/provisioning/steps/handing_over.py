"""Baseline saved → handed over: the machine group gets the machine, and its person, where the plan names one."""

from django.utils import timezone

from clusters import proxmox
from vms.models import MadeMachine, VirtualMachine
from vms.provisioning import handing_over, replacing
from vms.provisioning.engine.hand import Hand
from vms.sentences import say

State, Step = MadeMachine.State, MadeMachine.Step


def act(hand: Hand) -> None:
    made = hand.made
    if not VirtualMachine.objects.present().filter(pk=made.vm_id or 0).exists():
        hand.fail(say("made-not-there", vmid=made.vmid))
    elif _may_hand_over(hand):
        hand.finish(State.READY, step=Step.HANDED_OVER, ready_at=timezone.now(), sent_what="", upid="", tries=0)
        _give(made)


def _may_hand_over(hand: Hand) -> bool:
    """Whether nothing stands in the way: the machine that is replaced is off."""
    try:
        if hand.made.reimages and not replacing.is_old_one_off(hand.made):
            hand.wait(1.0)
            return False
    except replacing.Obstacle as obstacle:
        hand.retry(obstacle.text)
        return False
    return True


def _give(made: MadeMachine) -> None:
    if made.reimages:
        replacing.take_place(made, made.reimages)
    else:
        handing_over.hand_over(made)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    """It has no task."""
