"""The timetable of classes: rules by wall clock, occurrences in UTC, and what reads and writes them."""
