"""Keys of encrypted files: derived from the digest of the manifest, wrapped for each certificate."""

from __future__ import annotations

from ntfsbuild.compiler.sources import HostSources
from ntfsbuild.content.model import HostFile
from ntfsbuild.content.read import read
from ntfsbuild.crypto import Certificate, derive_efs_id, derive_file_key, load_certificate, wrap_key
from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest.feature_specs import EncryptTo
from ntfsbuild.ondisk.efs import Efs, KeyHolder, encode_efs

_LARGEST_CERTIFICATE_BYTES = 1 << 20


class Encrypting:
    """Makes the keys of one manifest's files; the seed is its digest, so that images are the same."""

    def __init__(self, seed: bytes, sources: HostSources) -> None:
        self._seed = seed
        self._sources = sources
        self._certificates: dict[bytes, Certificate] = {}

    def key_of(self, path: str, to: EncryptTo) -> tuple[bytes, bytes]:
        """The key of the file at `path`, and its $EFS."""
        key = derive_file_key(self._seed, path)
        users = tuple(self._holder(one, key) for one in to.certificates)
        recovery = tuple(self._holder(one, key) for one in to.recovery)
        try:
            return key, encode_efs(Efs(derive_efs_id(self._seed, path), users, recovery))
        except ValueError as error:
            raise ManifestError(f"encrypted: {error}") from None

    def _holder(self, path: bytes, key: bytes) -> KeyHolder:
        certificate = self._certificate(path)
        return KeyHolder(
            thumbprint=certificate.thumbprint,
            wrapped_key=wrap_key(certificate, key, self._seed),
            display_name=certificate.name,
        )

    def _certificate(self, path: bytes) -> Certificate:
        known = self._certificates.get(path)
        if known is None:
            content = self._sources.resolved(HostFile(path, None, None))
            try:
                known = load_certificate(read(content))
            except ManifestError as error:
                raise ManifestError(f"encrypted: {path.decode('utf-8', 'replace')}: {error}") from None
            self._certificates[path] = known
        return known
