"""Reserved → cloned. The one call that may never be made twice for nothing: every copy takes memory and disk."""

from functools import partial

from clusters import proxmox
from vms.models import MadeMachine
from vms.provisioning import vmids
from vms.provisioning.engine.hand import Hand
from vms.provisioning.steps import lookup, verdicts
from vms.provisioning.steps.lookup import Found
from vms.provisioning.steps.verdicts import Then, Verdict
from vms.sentences import say

Call, State, Step = MadeMachine.Call, MadeMachine.State, MadeMachine.Step


def act(hand: Hand) -> None:
    made = hand.made
    if made.sent_what != Call.CLONE:
        _send(hand)
    elif made.upid:
        hand.follow(_kind(made), made.upid)
    else:
        hand.call(lookup.clone(made), then=_looked, refused=verdicts.look_again)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    if status.succeeded:
        hand.reached(Step.CLONED, upid=hand.made.upid)
    else:
        _look_after(hand, verdicts.of_task(status.exit_status))


def _send(hand: Hand) -> None:
    if hand.take_slot(hand.place):
        hand.send(Call.CLONE, _clone(hand.made), then=_began, refused=_refused)


def _clone(made: MadeMachine) -> "partial[str]":
    template, elsewhere = made.run.template, made.node != made.template_node
    is_full = template.clone_kind == template.CloneKind.FULL
    return partial(
        _call,
        template=(made.template_node, made.template_vmid),
        values={
            "newid": made.vmid,
            "name": made.name,
            "description": made.description,
            "pool": template.pool,
            "full": is_full,
            "storage": made.storage if is_full else "",
            "target": made.node if elsewhere else "",
        },
    )


def _call(maker: proxmox.Maker, *, template: tuple[str, int], values: dict[str, object]) -> str:
    return maker.clone(*template, **values)  # type: ignore[arg-type]


def _kind(made: MadeMachine) -> str:
    return f"clone {made.run.template.clone_kind}"


def _began(hand: Hand, upid: str) -> None:
    hand.began(_kind(hand.made), upid)


def _refused(hand: Hand, error: proxmox.ProxmoxError) -> None:
    verdict = verdicts.of_error(error)
    if verdict.then == Then.LOOK:
        hand.wait(1.0)
    elif isinstance(error, proxmox.NotFound):
        words = say("made-template-gone", vmid=hand.made.template_vmid, node=hand.made.template_node)
        _nothing_there(hand, Verdict(Then.FAIL, words))
    elif verdict.then == Then.NEXT_ID:
        _look_after(hand, verdict)
    else:
        _nothing_there(hand, verdict)


# After a failure


def _look_after(hand: Hand, verdict: Verdict) -> None:
    """Nothing is begun anew before the configuration of the VMID says what the failed clone left there."""
    hand.call(lookup.configuration(hand.made), then=partial(_after, verdict), refused=partial(_after_unknown, verdict))


def _after(verdict: Verdict, hand: Hand, found: Found) -> None:
    if found.is_ours and found.lock:
        _stuck(hand)
    elif found.is_ours and verdict.then == Then.NEXT_ID:
        hand.reached(Step.CLONED)  # an earlier call had made it, although nothing showed
    elif found.is_ours:
        hand.fail(verdict.words)
    elif found.is_there:
        _nothing_there(hand, Verdict(Then.NEXT_ID, verdict.words))
    else:
        _nothing_there(hand, verdict)


def _after_unknown(verdict: Verdict, hand: Hand, error: proxmox.ProxmoxError) -> None:
    """The task is over, so its UPID is of no use; the next look begins with the VMID."""
    hand.retry(verdict.words, upid="")


def _nothing_there(hand: Hand, verdict: Verdict) -> None:
    if verdict.then == Then.NEXT_ID:
        _next_id(hand)
    elif verdict.then == Then.RETRY:
        hand.retry(verdict.words, sent_what="", upid="")
    else:
        hand.fail(verdict.words, sent_what="", upid="")


def _next_id(hand: Hand) -> None:
    if vmid := vmids.next_free(hand.made):
        hand.write(vmid=vmid, ids_tried=hand.made.ids_tried + 1, sent_what="", upid="")
        hand.due = 0.0
    else:
        hand.fail(say("made-no-free-id"), sent_what="", upid="")


# After a lost answer


def _looked(hand: Hand, found: Found) -> None:
    if found.is_ours and not found.lock:
        hand.reached(Step.CLONED, upid=found.upid)
    elif found.upid:
        hand.began(_kind(hand.made), found.upid)
    elif found.is_ours and hand.is_settled:
        _stuck(hand)
    elif not hand.is_settled:
        hand.wait(2.0)
    elif found.is_there:
        _next_id(hand)
    else:
        # Neither a configuration nor a task: the cluster never received it. The VMID stays the same, so that a copy
        # which arrives later nevertheless makes one machine, not two.
        hand.write(sent_what="", upid="")
        hand.due = 0.0


def _stuck(hand: Hand) -> None:
    """Half a machine, which only root@pam can remove. Tried again later, its VMID says whether it is still there."""
    made = hand.made
    words = say("made-stuck", vmid=made.vmid, node=made.template_node)
    hand.fail(words, state=State.STUCK, sent_what="", upid="")
