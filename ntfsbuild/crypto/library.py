"""Requires the library `cryptography`, which is an extra: few images have encrypted files."""

from __future__ import annotations

from ntfsbuild.errors import ManifestError


def needs() -> None:
    """Raise an error that says how to install `cryptography` if it is missing."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ManifestError(
            "encrypted files need the package cryptography: pip install ntfsbuild[efs]"
        ) from None
