"""Classes, their machines, memberships, invites and timetables."""

from classes.models.hours import ExtraHours, UsedTime
from classes.models.invites import Invite, JoinTries
from classes.models.labs import ClassMachine, LabClass
from classes.models.people import Membership
from classes.models.running import (
    IdleEvidence,
    LessonStart,
    MachineHold,
    MeasuredStart,
    RunningRules,
    StopNotice,
)
from classes.models.sign_in import ClassSignInRule
from classes.models.timetable import (
    CalendarFeed,
    Holiday,
    Lesson,
    LessonException,
    LessonMode,
    Occurrence,
)

__all__ = [
    "CalendarFeed",
    "ClassMachine",
    "ClassSignInRule",
    "ExtraHours",
    "Holiday",
    "IdleEvidence",
    "Invite",
    "JoinTries",
    "LabClass",
    "Lesson",
    "LessonException",
    "LessonMode",
    "LessonStart",
    "MachineHold",
    "MeasuredStart",
    "Membership",
    "Occurrence",
    "RunningRules",
    "StopNotice",
    "UsedTime",
]
