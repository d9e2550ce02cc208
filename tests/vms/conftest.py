from tests.labs import building_a, building_b, clock, impatient, sim
from tests.own_database import migrated_template, own_database

__all__ = ["building_a", "building_b", "clock", "impatient", "migrated_template", "own_database", "sim"]
