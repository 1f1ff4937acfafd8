"""A process that changes an image; tests kill it."""

import sys
from pathlib import Path

from tests.image.conftest import change_in_place

if __name__ == "__main__":
    change_in_place(Path(sys.argv[1]))
