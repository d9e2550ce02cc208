"""Classes, their machines, memberships and invites."""

from classes.models.invites import Invite, JoinTries
from classes.models.labs import ClassMachine, LabClass
from classes.models.people import Membership

__all__ = ["ClassMachine", "Invite", "JoinTries", "LabClass", "Membership"]
