from tests.labs import building_a, clock, sim
from tests.own_database import migrated_template, own_database

__all__ = ["building_a", "clock", "migrated_template", "own_database", "sim"]
