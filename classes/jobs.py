"""Stored name of a queue task (`classes.jobs.mail_stop_notice`), which never changes."""

from classes.timetable.mailing import mail_stop_notice

__all__ = ["mail_stop_notice"]
