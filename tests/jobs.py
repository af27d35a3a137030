"""What test_workers.py has workers do, in a file of its own, so that they import no more than this."""

import os
import signal


def double_or_die(number, deadly):
    if number == deadly:
        os.kill(os.getpid(), signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    return 2 * number
