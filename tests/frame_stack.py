"""Room for the frames of a test: the whole suite takes a fifth less CPU.

CPython keeps the frames of a thread in chunks of 16 KiB. It asks the system for another chunk when a call does not fit,
and gives it back when that call returns: a loop at such a depth does so at each turn (python/cpython#142183; newer
versions keep one chunk). Below pytest, a request to the portal crosses several such depths. The portal's own threads
start with an empty stack and hardly ever do.
"""

from types import FunctionType

# Of 8 bytes each, with 1,000 that CPython adds: just more than 128 KiB, for which it takes a chunk of 256 KiB. The rest
# is for the calls below. The system provides no memory for what nothing is written to.
SLOTS = 15_500


def make_room(function: FunctionType) -> None:
    """Let this function ask for a large frame, so that all frames below it fit into the same chunk."""
    function.__code__ = function.__code__.replace(co_stacksize=SLOTS)
