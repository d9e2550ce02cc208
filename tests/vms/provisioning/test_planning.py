"""Spreading machines over nodes: facts in, places out."""

from collections import Counter
from dataclasses import replace
from typing import Any

from vms.provisioning import planning
from vms.provisioning.planning import Copy, Facts, NodeFacts, Place, StorageFacts, Template, left_out, spread

LOCAL = StorageFacts("local", is_shared=False, is_usable=True, total=500, free=400)
SHARED = replace(LOCAL, name="shared", is_shared=True)


def node(name: str, *, free: int = 64_000, **more: Any) -> NodeFacts:
    known = {"memory": 64_000, "memory_free": free, "cores": 16, "storages": {"local": LOCAL, "shared": SHARED}}
    return NodeFacts(name, **{"is_online": True, **known, **more})


def facts(*nodes: NodeFacts, taken: tuple[int, ...] = (), names: tuple[str, ...] = ()) -> Facts:
    return Facts(nodes, frozenset(taken), frozenset(names))


def template(*copies: Copy, **more: Any) -> Template:
    known = {"is_full": False, "storage": "", "vmids": (5000, 5099), "pattern": "web-{n}", "cores": 2}
    return Template(copies, **{**known, "memory": 2000, "disk": 20, **more})


ON_BOTH = (Copy(1, "pve1", 900, "local", is_shared=False), Copy(2, "pve2", 901, "local", is_shared=False))


def places(found: list[Place | str]) -> list[Place]:
    assert not [one for one in found if isinstance(one, str)], found
    return [one for one in found if isinstance(one, Place)]


def nodes_of(found: list[Place | str]) -> Counter[str]:
    return Counter(one.node for one in places(found))


def test_equal_nodes_get_equally_many():
    found = spread(12, template(*ON_BOTH), facts(node("pve1"), node("pve2")))
    assert nodes_of(found) == {"pve1": 6, "pve2": 6}
    assert [(one.name, one.vmid) for one in places(found)][:2] == [("web-1", 5000), ("web-2", 5001)]


def test_the_node_with_more_free_memory_gets_more():
    found = nodes_of(spread(12, template(*ON_BOTH), facts(node("pve1", free=40_000), node("pve2"))))
    assert found["pve2"] > found["pve1"]
    assert found.total() == 12


def test_promised_and_running_cores_count():
    busy = node("pve1", cores_running=40, reserved_cores=8)
    assert nodes_of(spread(4, template(*ON_BOTH), facts(busy, node("pve2")))) == {"pve2": 4}


def test_memory_that_is_promised_to_others_is_not_free():
    promised = node("pve1", reserved_memory=50_000)
    assert nodes_of(spread(8, template(*ON_BOTH), facts(promised, node("pve2")))) == {"pve2": 8}


def test_an_offline_or_nearly_full_node_gets_none():
    off, full = node("pve1", is_online=False), node("pve2", free=8_000)
    known = facts(off, full)
    assert spread(1, template(*ON_BOTH), known) == [planning.NO_NODE]
    assert left_out(template(*ON_BOTH), known) == {"pve1": planning.OFFLINE, "pve2": planning.NEARLY_FULL}


def test_a_node_without_a_copy_gets_none():
    assert nodes_of(spread(4, template(ON_BOTH[0]), facts(node("pve1"), node("pve2")))) == {"pve1": 4}
    assert spread(2, template(), facts(node("pve1"))) == [planning.NO_COPY] * 2


def test_a_copy_on_shared_storage_serves_every_node():
    shared = template(Copy(1, "pve1", 900, "shared", is_shared=True))
    assert nodes_of(spread(4, shared, facts(node("pve1"), node("pve2")))) == {"pve1": 2, "pve2": 2}
    away = facts(node("pve1", is_online=False), node("pve2"))
    assert spread(1, shared, away) == [planning.NO_NODE]  # the copy's own node makes the clone


def test_full_clones_onto_a_local_storage_stay_on_the_copy_s_node():
    full = template(Copy(1, "pve1", 900, "shared", is_shared=True), is_full=True, storage="local")
    found = places(spread(4, full, facts(node("pve1"), node("pve2"))))
    assert {(one.node, one.storage) for one in found} == {("pve1", "local")}


def test_full_clones_fill_a_storage_until_a_tenth_is_left():
    small = {"local": replace(LOCAL, total=100, free=75)}
    full = template(*ON_BOTH, is_full=True)
    found = spread(8, full, facts(node("pve1", storages=small), node("pve2", storages=small)))
    assert [isinstance(one, Place) for one in found] == [True] * 6 + [False] * 2


def test_a_shared_storage_is_counted_once():
    small = {"shared": replace(SHARED, total=100, free=75)}
    full = template(Copy(1, "pve1", 900, "shared", is_shared=True), is_full=True)
    found = spread(4, full, facts(node("pve1", storages=small), node("pve2", storages=small)))
    assert [isinstance(one, Place) for one in found] == [True] * 3 + [False]


def test_taken_vmids_and_names_are_passed_over():
    found = places(spread(2, template(ON_BOTH[0]), facts(node("pve1"), taken=(5000, 5002), names=("web-1",))))
    assert [(one.name, one.vmid) for one in found] == [("web-2", 5001), ("web-3", 5003)]


def test_a_range_that_is_used_up_is_said():
    found = spread(3, template(ON_BOTH[0], vmids=(5000, 5001)), facts(node("pve1")))
    assert found[2] == planning.NO_VMID


def test_an_earlier_plan_stays_as_it_is_while_it_fits():
    before = places(spread(6, template(*ON_BOTH), facts(node("pve1"), node("pve2"))))
    less = facts(node("pve1", free=50_000), node("pve2", free=30_000))
    assert spread(6, template(*ON_BOTH), less, before) == before


def test_only_what_no_longer_fits_is_planned_anew():
    before = places(spread(4, template(*ON_BOTH), facts(node("pve1"), node("pve2"))))
    taken = facts(node("pve1"), node("pve2"), taken=(before[1].vmid,))
    after = places(spread(4, template(*ON_BOTH), taken, before))
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True, True]
    assert len({one.vmid for one in after} | {before[1].vmid}) == 5


def test_without_knowledge_of_its_room_a_node_is_used_by_count():
    blind = {"memory": None, "memory_free": None, "cores": None, "storages": {}}
    found = spread(4, template(*ON_BOTH), facts(node("pve1", **blind), node("pve2", **blind)))
    assert nodes_of(found) == {"pve1": 2, "pve2": 2}
