"""The places of features in a manifest: a place decides the allowed keys, and what some of them mean."""

from __future__ import annotations

from typing import Literal, TypeAlias

Place: TypeAlias = Literal["file", "directory", "mkdir", "set"]
