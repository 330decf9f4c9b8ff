"""`greenroom`: its entry. What the commands need is imported here, once Ctrl+C ends it without a traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; see `app.cli.main`."""
    main_thread = threading.current_thread() is threading.main_thread()
    ours = main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from app import cli

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main(argv) if argv is not None else cli.entry()


if __name__ == "__main__":
    sys.exit(main())
