"""Provisioning: makes and removes machines for a machine group, out of a published template.

A plan says what will be made; reserving it writes a row for each machine before anything is sent; a run makes exactly
these, step by step. Whose the machines are to be, the caller decides (`classes`).
"""
