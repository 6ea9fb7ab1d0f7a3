"""Run a command that the kernel kills when its parent ends. A separate script.

`parent_death.py PARENT_PID COMMAND...`: sets the parent-death signal, then becomes COMMAND. It is a script because the
signal must be set inside the child, and Python code between fork and exec is not safe in a process with threads.
The kernel watches the *thread* that started us: start children from a thread that runs as long as they should.
Where there is no such signal (not Linux) the command runs without it, and continues when its parent crashes.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent ended before the signal was set
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    _main()
