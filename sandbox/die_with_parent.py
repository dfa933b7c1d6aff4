"""Run a program that the kernel kills when its parent ends, however that ends: die_with_parent.py PID PROGRAM ARG...

Executed as a script between fork and the program, because code that runs in a forked child of a process with
threads (subprocess's ``preexec_fn``) can deadlock. PID is the parent's; the setting survives the exec.
Standard library only, and few of it: it is started in isolated mode for every component.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, command: list[str]) -> None:
    """Ask for the signal, make sure the parent has not ended before that, and become the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit(f"parent {parent} is gone")
    os.execv(command[0], command)  # noqa: S606 - becoming the program is the purpose; no shell is involved


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
