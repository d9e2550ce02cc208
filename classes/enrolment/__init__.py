"""Enrolment: invites and joining with them, the roster, membership, and the machines that members get."""
