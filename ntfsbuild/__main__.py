"""`python -m ntfsbuild`."""

import sys

from ntfsbuild.cli import main

if __name__ == "__main__":
    sys.exit(main())
