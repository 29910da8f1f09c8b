"""The command line: `python -m flows --help`."""

import os
import sys

if __name__ == "__main__":
    if "--verbose" not in sys.argv:
        # Prefect reads this when it is imported. Its log still goes to the run's page; the terminal shows our progress.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from flows.cli.main import main

    sys.exit(main())
