"""Lessons: classes, rosters and schedules. The room is empty still; it stands above vms and below labportal."""
