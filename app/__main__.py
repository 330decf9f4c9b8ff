"""`greenroom`: its entry. What the commands need is imported here, once Ctrl+C ends it without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; see `app.cli.main`."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # in the main thread, and nobody else's
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from app import cli

    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, signal.SIG_DFL):
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main(argv)


if __name__ == "__main__":
    sys.exit(main())
