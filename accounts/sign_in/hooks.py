"""What apps above this one do when a source says who somebody is. They register in their start-up module."""

from collections.abc import Callable
from datetime import datetime

from accounts.models import SignInSource, User
from accounts.sign_in.facts import OutsidePerson

# Called in the transaction of the sign-in, of a person who came in and whose groups are complete.
Apply = Callable[[User, SignInSource, OutsidePerson, datetime], None]

# What the person would become besides: sentences for a preview. It writes nothing.
Foresee = Callable[[SignInSource, OutsidePerson], list[str]]

appliers: list[Apply] = []
foreseers: list[Foresee] = []
