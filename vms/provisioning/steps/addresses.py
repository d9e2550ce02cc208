"""Started → address seen: the machine's own agent says that it is up, and where it is reached."""

import re
from datetime import timedelta
from functools import partial

from django.utils import timezone

from clusters import proxmox
from vms.models import MadeMachine, VirtualMachine
from vms.models.operations import ended as told
from vms.provisioning.engine.hand import Hand
from vms.sentences import say

Step = MadeMachine.Step

# How long a new machine may take to start and to get an address. It is handed over without one then.
PATIENCE = timedelta(minutes=5)

# Seconds between two questions; the agent of a machine that still starts takes three to say nothing.
ASK_EVERY = 3.0

NO_AGENT = re.compile(r"No QEMU guest agent configured")

# What a machine has before it has an address of a network.
_LOCAL = re.compile(r"127\.|169\.254\.|::1$|fe80:", re.IGNORECASE)


def act(hand: Hand) -> None:
    made, engine = hand.made, hand.engine
    if pause := engine.pace(made.node).until_address(engine.clock()):
        hand.wait(pause)
        return
    hand.call(partial(_ask, node=made.node, vmid=made.vmid), then=_answered, refused=_no_answer)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    """It has no task."""


def _ask(maker: proxmox.Maker, *, node: str, vmid: int) -> list[str]:
    interfaces = maker.addresses(node, vmid)
    return [address for one in interfaces for address in one.addresses if not _LOCAL.match(address)]


def _answered(hand: Hand, found: list[str]) -> None:
    if not found:
        _wait(hand)
        return
    if hand.made.vm_id:
        VirtualMachine.objects.filter(pk=hand.made.vm_id).update(addresses=found)
    hand.reached(Step.ADDRESS_SEEN, **told(""))


def _no_answer(hand: Hand, error: proxmox.ProxmoxError) -> None:
    if NO_AGENT.search(error.reason):
        hand.reached(Step.ADDRESS_SEEN, **told(say("made-no-agent")))
    elif isinstance(error, proxmox.PermissionMissing):
        hand.reached(Step.ADDRESS_SEEN, **told(error.plain))
    else:
        _wait(hand)


def _wait(hand: Hand) -> None:
    if (hand.made.sent_at or hand.made.created_at) < timezone.now() - PATIENCE:
        hand.reached(Step.ADDRESS_SEEN, **told(say("made-no-address")))
    else:
        hand.wait(ASK_EVERY)
