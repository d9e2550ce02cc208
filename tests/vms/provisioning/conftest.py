import pytest

import pvesim
from clusters import proxmox
from tests.labs import clock, sim
from tests.workshop import make_workshop

__all__ = ["clock", "sim"]


@pytest.fixture
def workshop(db: None, sim: pvesim.Simulator, clock: pvesim.ManualClock):
    found = make_workshop(sim, clock)
    yield found
    proxmox.forget(found.row.cluster_id)
    sim.remove_cluster(found.pve.name)
