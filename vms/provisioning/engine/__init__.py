"""The engine: which machines a worker has in hand, how many calls are under way, and when it asks again.

It knows no step; `vms.provisioning.steps` does.
"""
