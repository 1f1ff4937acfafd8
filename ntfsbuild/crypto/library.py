"""Whether the library that encrypts is here; it is an extra, since few images have encrypted files."""

from __future__ import annotations

from ntfsbuild.errors import ManifestError


def needs() -> None:
    """Say how to get `cryptography` where it is missing; it is loaded only when something is encrypted."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise ManifestError(
            "encrypted files need the package cryptography: pip install ntfsbuild[efs]"
        ) from None
