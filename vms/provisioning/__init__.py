"""Provisioning: makes and removes machines for a machine group, out of a published template."""
