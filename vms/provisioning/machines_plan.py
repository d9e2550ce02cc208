"""The plan of machines that somebody reviews: a row for each machine, totals, what is refused and what will be slow."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from accounts.plans import Note, Outcome, Plan, PlanRow
from vms.models import LeasableNetwork, MachineSet, MachineTemplate, ProvisioningRun
from vms.provisioning import facts, ledger, networks, planning, quotas
from vms.provisioning.amounts import Amounts, total
from vms.provisioning.facts import Reading
from vms.provisioning.planning import Facts, Place
from vms.provisioning.reasons import (
    NO_PLACE,
    NODE_NOTES,
    REFUSED,
    SLOW_FULL,
    SLOW_OTHER,
    TEMPLATES_OWN,
    UNCHECKED,
    MachineReason,
)

# Machines of one plan.
MOST = 200

Networks = ProvisioningRun.Networks

# What an earlier plan chose, machine by machine: see `MachineRow.choice`.
Choices = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Wish:
    """Machines for these people (primary key and user name), and some for nobody yet, in a machine group."""

    template: int
    group: int
    people: tuple[tuple[int, str], ...] = ()
    spare: int = 0
    networks: str = Networks.TEMPLATE
    kind: str = ProvisioningRun.Kind.MAKE

    @property
    def count(self) -> int:
        return len(self.people) + self.spare


@dataclass(frozen=True)
class MachineRow(PlanRow):
    """Memory in MiB and disk in GiB; `copy`, `network_pk` and `user` are primary keys, 0 for none."""

    name: str = ""
    vmid: int | str = ""
    node: str = ""
    storage: str = ""
    network: str | Note = ""
    person: str = ""
    cores: int = 0
    memory: int = 0
    disk: int = 0
    copy: int = 0
    network_pk: int = 0
    user: int = 0

    @property
    def choice(self) -> list[Any]:
        """What was chosen for it, to be kept by a later plan where it still fits."""
        return [self.name, self.vmid, self.node, self.storage, self.copy, self.network_pk]


@dataclass(frozen=True)
class Total:
    """One line of the totals. None: not known."""

    label: str
    wanted: int
    cluster: int | None
    running: int | None
    promised: int


@dataclass(frozen=True, kw_only=True)
class MachinesPlan(Plan[MachineRow]):
    """`refusals` are of the whole plan. What changes from one moment to the next is no part of its digest."""

    template: int
    cluster_id: str
    group: int
    networks: str
    kind: str
    refusals: tuple[Note, ...] = ()
    totals: tuple[Total, ...] = field(default=(), compare=False)
    remarks: tuple[Note, ...] = field(default=(), compare=False)

    columns: ClassVar = (
        ("name", gettext_lazy("Name")),
        ("vmid", "VMID"),
        ("node", gettext_lazy("Node")),
        ("storage", gettext_lazy("Storage")),
        ("network", gettext_lazy("Network")),
        ("person", gettext_lazy("Person")),
        ("cores", gettext_lazy("Cores")),
        ("memory", gettext_lazy("Memory (MiB)")),
        ("disk", gettext_lazy("Disk (GiB)")),
    )
    will: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d machine will be made", "%(n)d machines will be made", "n"),
    }
    did: ClassVar = {
        Outcome.CREATED: ngettext_lazy("%(n)d machine is being made.", "%(n)d machines are being made.", "n"),
    }
    nothing: ClassVar = gettext_lazy("No machine will be made")
    button: ClassVar = ngettext_lazy("Make %(n)d machine", "Make %(n)d machines", "n")
    empty: ClassVar = gettext_lazy("Nobody needs a machine")

    @property
    def is_refused(self) -> bool:
        """Nothing that fits only in part is begun."""
        return bool(self.refusals) or any(row.outcome is Outcome.REFUSED for row in self.rows)

    @property
    def heading(self) -> str:
        return _("These machines cannot be made") if self.is_refused else super().heading

    @property
    def choices(self) -> list[list[Any]]:
        return [row.choice for row in self.rows]

    def as_json(self) -> dict[str, Any]:
        said = [str(note) for note in (*self.notices, *self.remarks)]
        totals = [vars(one) | {"label": str(one.label)} for one in self.totals]
        return super().as_json() | {"notices": said, "refusals": [str(one) for one in self.refusals], "totals": totals}

    def _row_as_json(self, row: MachineRow) -> dict[str, Any]:
        return super()._row_as_json(row) | {"network": str(row.network)}


def make(wish: Wish, reading: Reading, *, before: Choices = (), is_locked: bool = False) -> MachinesPlan:
    """Plan the machines of a wish. `before` are the choices of an earlier plan, kept where they still fit.

    `is_locked` in the transaction that reserves: quotas and template are locked until it ends. Raises
    `MachineTemplate.DoesNotExist` for a template that is not active.
    """
    template = _template(wish.template, is_locked=is_locked)
    group = MachineSet.objects.get(pk=wish.group)
    known, needed = facts.with_promises(reading, template), facts.wanted(template)
    places = planning.spread(wish.count, needed, known, [Place(*choice[:5]) for choice in before if choice[4]])
    rows = tuple(_with_networks(list(_rows(wish, template, places)), wish, template, before))
    unchecked = [] if template.checked_at else [UNCHECKED]
    refusals, running = _limits(wish, template, group, is_locked=is_locked)
    return MachinesPlan(
        rows=rows,
        notices=tuple(Note.of(REFUSED, why=note) for note in refusals),
        template=template.pk,
        cluster_id=template.cluster_id,
        group=group.pk,
        networks=str(wish.networks),  # a choice and its value are the same
        kind=str(wish.kind),
        refusals=refusals,
        totals=_totals(wish, template, known),
        remarks=(*unchecked, *_node_notes(needed, known), *running, *_slow(wish, template)),
    )


def _template(pk: int, *, is_locked: bool) -> MachineTemplate:
    active = MachineTemplate.objects.active()
    active = active.select_for_update(of=("self",)) if is_locked else active.select_related("cluster")
    found: MachineTemplate = active.prefetch_related("copies").get(pk=pk)
    return found


def _rows(wish: Wish, template: MachineTemplate, places: list[Place | str]) -> Iterator[MachineRow]:
    people = [*wish.people, *[(0, "")] * wish.spare]
    for number, ((user, person), place) in enumerate(zip(people, places, strict=True), 1):
        row = MachineRow(number, MachineReason.MAKE, (), person=person, user=user)
        row = replace(row, cores=template.cores, memory=template.memory_mib, disk=template.disk_gib)
        if isinstance(place, str):
            yield replace(row, reason=NO_PLACE[place])
        else:
            yield replace(
                row, name=place.name, vmid=place.vmid, node=place.node, storage=place.storage, copy=place.copy
            )


def _with_networks(rows: list[MachineRow], wish: Wish, template: MachineTemplate, before: Choices) -> list[MachineRow]:
    if wish.networks == Networks.TEMPLATE:
        return [replace(row, network=TEMPLATES_OWN) for row in rows]
    free = networks.free_for(template)
    if wish.networks == Networks.GROUP:
        own = networks.of_group(template, wish.group)
        earlier = [one for one in free if before and before[0][5] == one.pk]
        return [_on(row, own or next(iter([*earlier, *free]), None)) for row in rows]
    by_pk = {one.pk: one for one in free}
    chosen = [by_pk.pop(choice[5], None) for choice in before][: len(rows)]
    chosen += [None] * (len(rows) - len(chosen))
    others = iter(by_pk.values())
    return [_on(row, one or next(others, None)) for row, one in zip(rows, chosen, strict=True)]


def _on(row: MachineRow, network: LeasableNetwork | None) -> MachineRow:
    if network is None:
        return replace(row, reason=MachineReason.NO_NETWORK) if row.outcome.writes else row
    return replace(row, network=str(network), network_pk=network.pk)


def amounts(template: MachineTemplate, count: int) -> Amounts:
    return total([Amounts(1, 0, template.cores, template.memory_mib, template.disk_gib)] * count)


def _limits(
    wish: Wish, template: MachineTemplate, group: MachineSet, *, is_locked: bool
) -> tuple[tuple[Note, ...], tuple[Note, ...]]:
    """Refusals of quotas and of the template's own limits; and remarks about how many may run."""
    people = Counter(user for user, _name in wish.people)
    rows = quotas.concerned(template.cluster_id, group.pk, people, is_locked=is_locked)
    refusals: list[Note] = []
    remarks: list[Note] = []
    whole = amounts(template, wish.count)
    if own := quotas.usage_of_template(template):
        refusals += own.shortages(whole)
    for quota in rows:
        wanted = amounts(template, people[quota.user_id]) if quota.user_id else whole
        usage = quotas.usage_of(quota)
        refusals += usage.shortages(wanted)
        remarks += usage.running_notes(wanted)
    return tuple(refusals), tuple(remarks)


def _node_notes(needed: planning.Template, known: Facts) -> list[Note]:
    left_out = planning.left_out(needed, known)
    return [Note.of(NODE_NOTES[why], node=node) for node, why in sorted(left_out.items())]


def _slow(wish: Wish, template: MachineTemplate) -> list[Note]:
    if template.clone_kind != MachineTemplate.CloneKind.FULL or not wish.count:
        return []
    others = ledger.not_in_inventory().filter(cluster_id=template.cluster_id, run__template__clone_kind="full").count()
    notes = [Note.of(SLOW_FULL, gib=wish.count * template.disk_gib)]
    return [*notes, Note.of(SLOW_OTHER, count=others)] if others else notes


def _totals(wish: Wish, template: MachineTemplate, known: Facts) -> tuple[Total, ...]:
    wanted, has = amounts(template, wish.count), ledger.of_cluster(template.cluster_id)
    promised = total(ledger.reserved_on_nodes(template.cluster_id).values())
    online = [node for node in known.nodes if node.is_online]
    cores = sum(node.cores for node in online if node.cores) or None
    memory = sum(node.memory for node in online if node.memory) or None
    used = sum(node.memory - (node.memory_free or 0) for node in online if node.memory) or None
    disk, used_disk = _disk(template, known)
    running_cores = round(sum(node.cores_running for node in online))
    return (
        Total(_("Machines"), wanted.machines, has.machines - promised.machines, has.running, promised.machines),
        Total(_("Cores"), wanted.cores, cores, running_cores, promised.cores),
        Total(_("Memory (MiB)"), wanted.memory_mib, memory, used, promised.memory_mib),
        Total(_("Disk (GiB)"), wanted.disk_gib, disk, used_disk, promised.disk_gib),
    )


def _disk(template: MachineTemplate, known: Facts) -> tuple[int | None, int | None]:
    """Size and use of the storages that the machines would be on."""
    names = {template.storage} if template.storage else {copy.storage for copy in template.copies.all()}
    found = {}
    for node in known.nodes:
        for name, storage in node.storages.items():
            if name in names and node.is_online:
                found["" if storage.is_shared else node.name, name] = storage
    if not found:
        return None, None
    whole = sum(one.total for one in found.values())
    return round(whole), round(whole - sum(one.free for one in found.values()))
