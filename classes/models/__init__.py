"""Classes: who teaches, who takes part, with which machines, and how one comes in."""

from classes.models.invites import Invite, JoinTries
from classes.models.labs import ClassMachine, LabClass
from classes.models.people import Membership

__all__ = ["ClassMachine", "Invite", "JoinTries", "LabClass", "Membership"]
