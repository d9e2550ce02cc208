"""Timetables of schools: calendar files and tables become series of lessons, which a plan shows before it adds them."""
