"""Stored names of queue tasks (like `classes.jobs.mail_stop_notice`), which never change."""

from classes.timetable.gathering import gather_idle_evidence
from classes.timetable.mailing import mail_stop_notice

__all__ = ["gather_idle_evidence", "mail_stop_notice"]
