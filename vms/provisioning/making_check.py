"""Whether a cluster's token for making machines may do what the published templates ask for, and no more."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from clusters import gateway, privileges, proxmox
from clusters.config import ClusterConfig
from clusters.privileges import making
from vms.models import LeasableNetwork, MachineTemplate, MadeMachine, TemplateCopy

MOST_NAMED = 5
READ_WITHIN = 3.0  # seconds, for each call: somebody waits for the page


@dataclass(frozen=True)
class MakingCheck:
    """`report` is about privileges; `problems` say in words what forbids making machines at all."""

    version: str
    report: making.MakingReport
    problems: tuple[str, ...]


def places_of(cluster_id: str, *, members: frozenset[int] = frozenset()) -> making.Places:
    """What the active templates of the cluster use."""
    templates = MachineTemplate.objects.filter(cluster_id=cluster_id, is_active=True).order_by("pk")
    copies = TemplateCopy.objects.filter(template__in=templates).order_by("pk")
    networks = LeasableNetwork.objects.filter(machine_templates__in=templates).order_by("bridge")
    storages = [*(copy.storage for copy in copies), *(template.storage for template in templates)]
    return making.Places(
        pools=tuple(dict.fromkeys(template.pool for template in templates)),
        templates=tuple(dict.fromkeys(copy.vmid for copy in copies)),
        storages=tuple(dict.fromkeys(filter(None, storages))),
        bridges=tuple(dict.fromkeys(network.bridge for network in networks)),
        members=members,
    )


def lines_for(config: ClusterConfig) -> dict[int, tuple[str, ...]]:
    """The commands that a new token takes, by major version. The portal's other credential reads the templates."""
    places = places_of(config.cluster_id)
    try:
        with gateway.read(config, deadline=READ_WITHIN) as reader:
            nets = [
                _net(lambda copy: reader.guest_config(copy.node, "qemu", copy.vmid), copy) for copy in _copies(config)
            ]
    except proxmox.ProxmoxError:
        nets = []  # the check says later what is missing
    bridges = tuple(dict.fromkeys((*places.bridges, *sorted(set().union(*nets)))))
    found = making.Places(places.pools, places.templates, places.storages, bridges)
    return {major: making.setup_lines(found, major) for major in privileges.MAJORS}


def check(config: ClusterConfig) -> MakingCheck:
    """Ask the cluster with the token for making machines. Raises `ProxmoxError`."""
    with gateway.make(config) as maker:
        version, flags, known = maker.version().version, maker.permission_flags(), maker.roles()
        token_id = maker.token_id
        places = places_of(config.cluster_id)
        problems: list[str] = []
        members, bridges = set[int](), set(places.bridges)
        for name in places.pools:
            found = _members(maker, name)
            members |= found
            problems += _pool_problems(config.cluster_id, name, found, places)
        for copy in _copies(config):
            bridges |= _net(lambda copy: maker.config(copy.node, copy.vmid), copy)
    places = making.Places(places.pools, places.templates, places.storages, tuple(sorted(bridges)), frozenset(members))
    report = making.check(token_id, flags, known, places, privileges.major_of(version))
    return MakingCheck(version, report, tuple(problems))


def _members(maker: proxmox.Maker, pool: str) -> set[int]:
    try:
        return {guest.vmid for guest in maker.pool_members(pool).guests}
    except (proxmox.NotFound, proxmox.Refused):
        return set()  # without the pool, its privileges are missing too


def _copies(config: ClusterConfig) -> list[TemplateCopy]:
    return list(TemplateCopy.objects.filter(template__cluster_id=config.cluster_id, template__is_active=True))


def _net(read: Callable[[TemplateCopy], proxmox.GuestConfig], copy: TemplateCopy) -> set[str]:
    """The bridges of a template: machines are made on these before they get a network of their own."""
    try:
        cards = read(copy).net
    except (proxmox.NotFound, proxmox.PermissionMissing):
        return set()
    parts = (part for card in cards.values() for part in card.split(","))
    return {part.removeprefix("bridge=") for part in parts if part.startswith("bridge=")}


def _pool_problems(cluster_id: str, pool: str, members: set[int], places: making.Places) -> Iterator[str]:
    """Whatever is in the pool can be deleted by the token."""
    if templates := sorted(members & set(places.templates)):
        yield _("The pool %(pool)s contains the template %(vmids)s. Take it out: the token could delete it.") % {
            "pool": pool,
            "vmids": _listed(templates),
        }
    made = MadeMachine.objects.unremoved().filter(cluster_id=cluster_id).values_list("vmid", flat=True)
    if foreign := sorted(members - set(made) - set(places.templates)):
        yield _(
            "The pool %(pool)s contains machines that the portal did not make (%(vmids)s). The token could delete "
            "them. Use a pool for made machines alone."
        ) % {"pool": pool, "vmids": _listed(foreign)}


def _listed(vmids: list[int]) -> str:
    rest = len(vmids) - MOST_NAMED
    named = ", ".join(map(str, vmids[:MOST_NAMED]))
    return named + (_(" and %(rest)s more") % {"rest": rest} if rest > 0 else "")
