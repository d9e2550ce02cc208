"""Permissions: the ordered rules for actions on machines, and the lookups of what a person may see."""
