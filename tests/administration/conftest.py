from tests.classes.conftest import networks, tess
from tests.labs import building_a, clock, sim

__all__ = ["building_a", "clock", "networks", "sim", "tess"]
