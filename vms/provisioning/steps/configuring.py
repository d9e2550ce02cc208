"""Cloned → configured: what the clone took over from its template is replaced, and its identity is written down."""

from functools import partial

from accounts import first_passwords
from clusters import proxmox
from vms.models import MadeMachine, Operation
from vms.provisioning import inventory_rows, passwords
from vms.provisioning.engine.hand import Hand
from vms.provisioning.steps import verdicts
from vms.provisioning.steps.configuration import Wanted, values
from vms.provisioning.steps.verdicts import Then
from vms.sentences import say

# The card that is moved to the leased network.
NET = "net0"

Call, State, Step = MadeMachine.Call, MadeMachine.State, MadeMachine.Step


def act(hand: Hand) -> None:
    """From the beginning also after a lost answer: the same write twice says the same."""
    made = hand.made
    hand.call(partial(_read, node=made.node, vmid=made.vmid), then=_with_config, refused=_refused)


def ended(hand: Hand, status: proxmox.TaskStatus) -> None:
    """It has no task."""


def _read(maker: proxmox.Maker, *, node: str, vmid: int) -> proxmox.GuestConfig:
    return maker.config(node, vmid)


def _with_config(hand: Hand, config: proxmox.GuestConfig) -> None:
    made = hand.made
    if config.mark != str(made.mark) or config.template:
        hand.fail(say("made-not-ours", vmid=made.vmid))
        return
    if config.lock:
        hand.retry(say("made-held"))
        return
    password = passwords.known(made) or _password(hand, config)
    keys = values(_wanted(made, password), net=config.net.get(NET, ""), has_cloud_init=bool(config.cloudinit_drive))
    call = partial(_configure, node=made.node, vmid=made.vmid, digest=config.digest, keys=keys)
    then = partial(_configured, config)
    fields = {"uuid": config.smbios_uuid, "password": password, "upid": made.upid}
    hand.send(Call.CONFIG, call, then=then, refused=_refused, **fields)


def _password(hand: Hand, config: proxmox.GuestConfig) -> str:
    """A new one; none where nothing on the machine would read it."""
    return "" if hand.made.run.template.ssh_keys.strip() or not config.cloudinit_drive else first_passwords.make()


def _wanted(made: MadeMachine, password: str) -> Wanted:
    template, network = made.run.template, made.network
    return Wanted(
        name=made.name,
        mark=made.description,
        group=made.run.machine_set.title,
        template=template.name,
        ci_user=template.ci_user,
        password=password,
        ssh_keys=template.ssh_keys,
        ip_config=template.ip_config,
        bridge=network.bridge if network else "",
        vlan=network.vlan if network else None,
    )


def _configure(maker: proxmox.Maker, *, node: str, vmid: int, digest: str, keys: dict[str, str | int]) -> None:
    maker.configure(node, vmid, digest=digest, **keys)


def _configured(config: proxmox.GuestConfig, hand: Hand, _nothing: None) -> None:
    vm = inventory_rows.create(hand.made, config)
    upid, hand.made.vm = hand.made.upid, vm
    hand.prove(Operation.Action.CLONE, upid)
    hand.reached(Step.CONFIGURED, vm=vm, upid="")


def _refused(hand: Hand, error: proxmox.ProxmoxError) -> None:
    verdict = verdicts.of_error(error)
    if isinstance(error, proxmox.NotFound):
        hand.fail(say("made-not-there", vmid=hand.made.vmid))
    elif verdict.then == Then.FAIL:
        hand.fail(verdict.words)
    else:
        hand.retry(verdict.words)
