"""Where features are said: it decides which keys there are, and what some of them mean."""

from __future__ import annotations

from typing import Literal, TypeAlias

Place: TypeAlias = Literal["file", "directory", "mkdir", "set"]
