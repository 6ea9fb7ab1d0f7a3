"""A test process of xdist that starts warm; its arguments are those that execnet gives to Python: `-u -c CODE`.

It has a server for its own warm starts, forked while it has one thread.
"""

import sys

from tests.warm.process import use_server
from tests.warm.server import fork_server

if __name__ == "__main__":  # processes that a test starts import this again
    use_server(fork_server())
    exec(sys.argv[-1])
