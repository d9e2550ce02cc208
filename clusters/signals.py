"""Signals for the apps that use clusters."""

from django.dispatch import Signal

# The cluster may respond again: a stored connection was tested with success, or its address, certificate or credential
# was changed. cluster_id: str
cluster_mended = Signal()
