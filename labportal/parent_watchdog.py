"""Run a program that the kernel ends when its parent ends, however the parent ends.

`python -m labportal.parent_watchdog PARENT_PID PROGRAM…`
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *program = sys.argv[1:]
    if sys.platform == "linux":  # elsewhere a kill -9 of the parent leaves its programs running
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit("The parent ended before the program started.")
    os.execv(program[0], program)  # noqa: S606 - the product's own programs


main()
