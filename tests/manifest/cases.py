"""The manifests in `valid/` and `invalid/`."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
VALID = sorted(HERE.glob("valid/*.yaml"))
INVALID = sorted(HERE.glob("invalid/*.yaml"))
