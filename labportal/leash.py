"""Start a program that ends when its starter ends, however that ends: `python -m labportal.leash PARENT PROGRAM…`."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, *program = sys.argv[1:]
    if sys.platform == "linux":  # elsewhere a kill -9 of the starter leaves its programs running
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        sys.exit("The starter ended before its programs did start.")
    os.execv(program[0], program)  # noqa: S606 - the product's own programs


main()
