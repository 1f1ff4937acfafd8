"""Resolves features: inherits from directories, reads sources, makes keys."""

from __future__ import annotations

import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ntfsbuild.compiler.sources import HostSources
from ntfsbuild.content import host_file
from ntfsbuild.content.model import (
    Content,
    Fill,
    HostFile,
    LinkKind,
    LinksRule,
    Segments,
    SourceLink,
)
from ntfsbuild.content.problems import shown
from ntfsbuild.content.read import read, size_of
from ntfsbuild.errors import ManifestError
from ntfsbuild.manifest.feature_specs import (
    NO_FEATURE_SPEC,
    EncryptedRaw,
    EncryptTo,
    FeatureSpec,
    StreamSpec,
    Symlink,
    UnixSpec,
)
from ntfsbuild.manifest.model import Defaults, Manifest
from ntfsbuild.named_tuple import NamedTuple
from ntfsbuild.ondisk import extended_attributes, reparse_point, unix_metadata, upcase
from ntfsbuild.ondisk.extended_attributes import Entry
from ntfsbuild.ondisk.file_attributes import FileAttributes
from ntfsbuild.ondisk.traits import (
    COMPRESSED_FORMS,
    INFORMATION_BITS,
    MADE_SHORT_NAME,
    NO_SHORT_NAME,
    NO_TRAITS,
    Form,
    Traits,
)
from ntfsbuild.ondisk.unix_metadata import UnixMetadata
from ntfsbuild.plan.features import NO_FEATURES, Features, NamedStream

if TYPE_CHECKING:
    from ntfsbuild.compiler.encrypting import Encrypting

_LARGEST_COMPRESSED_CLUSTER_BYTES = 4096
ARCHIVE, _OF_EA = int(FileAttributes.ARCHIVE), int(FileAttributes.EA)
OF_ROOT = int(FileAttributes.HIDDEN | FileAttributes.SYSTEM)
_COPIED = (
    "security",
    "object_id",
    "name_times",
    "entry_times",
    "case_sensitive",
    *INFORMATION_BITS,
)


# Modes of special files, if the manifest does not take them from the source; the host's umask is not used.
_SPECIAL_MODES: Final[dict[LinkKind, int]] = {
    "socket": stat.S_IFSOCK | 0o644,
    "fifo": stat.S_IFIFO | 0o644,
    "char": stat.S_IFCHR | 0o644,
    "block": stat.S_IFBLK | 0o644,
}


class Rules(NamedTuple):
    """The features that files and directories inherit from a directory."""

    form: Form | None = None
    encrypt: EncryptTo | None = None
    security: bytes | None = None
    short_names: bool = False
    unix_from_source: bool = False

    @property
    def plain(self) -> bool:
        """Whether a file that says nothing has no features."""
        return self == _NO_RULES

    def narrowed(self, spec: FeatureSpec, defaults: Defaults) -> Rules:
        """The rules inherited from a directory with this description."""
        if spec is NO_FEATURE_SPEC and defaults.security is None and defaults.short_names is None:
            return self
        rules = self
        if spec.compressed is not None:
            rules = rules._replace(form="compressed" if spec.compressed else None, encrypt=None)
        if isinstance(spec.encrypted, EncryptTo):
            rules = rules._replace(form="encrypted", encrypt=spec.encrypted)
        elif isinstance(spec.encrypted, EncryptedRaw):  # Raw encryption names no user to encrypt for.
            rules = rules._replace(form=None, encrypt=None)
        elif spec.encrypted is False:
            rules = rules._replace(form=None if rules.encrypt else rules.form, encrypt=None)
        if defaults.security is not None:
            rules = rules._replace(security=defaults.security)
        if defaults.short_names is not None:
            rules = rules._replace(short_names=defaults.short_names)
        return rules._replace(unix_from_source=rules.unix_from_source or spec.unix == "source")


_NO_RULES = Rules()


class FeaturePlanner:
    """Resolves the features of one manifest."""

    def __init__(self, manifest: Manifest, sources: HostSources, pin: Callable[[Content], Content]) -> None:
        self._sources = sources
        self._pin = pin
        self._seed = manifest.digest
        self._encrypting: Encrypting | None = None
        volume = manifest.volume
        self._compresses = bool(volume.base) or volume.cluster_bytes <= _LARGEST_COMPRESSED_CLUSTER_BYTES
        self._cluster_bytes = volume.cluster_bytes

    def of_directory(
        self, path: str, spec: FeatureSpec, rules: Rules, source: UnixMetadata | None
    ) -> Features:
        """The features of a directory; `rules` are those of the one above.

        `source` is what its source says, if that is asked for.
        """
        if spec is NO_FEATURE_SPEC and rules.plain:
            return NO_FEATURES
        form = form_of_directory(spec, rules)
        self._check_form(form)
        traits = _with_unix(self._traits(spec, rules), spec, source)
        file_key = None
        if isinstance(spec.encrypted, EncryptedRaw):
            traits = traits._replace(efs=self._efs_of(spec.encrypted))
        elif form == "encrypted":
            encrypt = spec.encrypted or rules.encrypt
            assert encrypt
            file_key, efs = self._key_of(path, encrypt)
            traits = traits._replace(efs=efs)
        streams = self._streams(spec, file_key is not None)
        return _made(Features(traits, form, None, streams, file_key if streams else None))

    def of_file(
        self,
        path: str,
        spec: FeatureSpec,
        content: Content,
        rules: Rules,
        source: UnixMetadata | None = None,
    ) -> Features:
        """The features of a file, or of a link that is described as one.

        `source` is what a source tree says of it, if that is asked for.
        """
        if spec is NO_FEATURE_SPEC and rules.plain:
            return NO_FEATURES
        if spec.unix == "source" or (
            spec.unix is None and rules.unix_from_source and source is None and isinstance(content, HostFile)
        ):
            source = _unix_of(content)
        traits = _with_unix(self._traits(spec, rules), spec, source)
        form, encrypt = self._form_of(spec, content, rules)
        if traits.reparse is not None and spec.sparse is None and spec.compressed is None:
            form, encrypt = None, None  # A link has no content to speak of.
        self._check_form(form)
        file_key, raw_bytes = None, None
        if isinstance(spec.encrypted, EncryptedRaw):
            form, raw_bytes = "encrypted", spec.encrypted.size_bytes
            traits = traits._replace(efs=self._efs_of(spec.encrypted))
        elif encrypt is not None:
            form = "encrypted"
            file_key, efs = self._key_of(path, encrypt)
            traits = traits._replace(efs=efs)
        streams = self._streams(spec, file_key is not None)
        return _made(Features(traits, form, spec.valid_bytes, streams, file_key, raw_bytes))

    def of_step(self, path: str, spec: FeatureSpec) -> Features:
        """What a step says of the file or directory at `path`."""
        form: Form | None = None
        if (spec.compressed, spec.sparse) != (None, None):
            form = _said_form(bool(spec.sparse), bool(spec.compressed))
        traits = _with_unix(self._traits(spec, Rules()), spec, None)
        if isinstance(spec.short_name, bool):
            traits = traits._replace(short_name=MADE_SHORT_NAME if spec.short_name else NO_SHORT_NAME)
        elif spec.short_name is not None:
            traits = traits._replace(short_name=spec.short_name)
        file_key = None
        if isinstance(spec.encrypted, EncryptTo):
            form = "encrypted"
            file_key, efs = self._key_of(path, spec.encrypted)
            traits = traits._replace(efs=efs)
        streams = self._streams(spec, file_key is not None)
        return _made(Features(traits, form, spec.valid_bytes, streams, file_key))

    def _efs_of(self, raw: EncryptedRaw) -> bytes:
        assert raw.efs is not None  # A file's, not a stream's.
        return read(self._sources.resolved(raw.efs))

    def _key_of(self, path: str, to: EncryptTo) -> tuple[bytes, bytes]:
        if self._encrypting is None:
            from ntfsbuild.compiler.encrypting import Encrypting  # Imported late: few files are encrypted.

            self._encrypting = Encrypting(self._seed, self._sources)
        return self._encrypting.key_of(path, to)

    def _form_of(
        self, spec: FeatureSpec, content: Content, rules: Rules
    ) -> tuple[Form | None, EncryptTo | None]:
        if isinstance(spec.encrypted, EncryptTo):
            return "encrypted", spec.encrypted
        sparse = spec.sparse is True or (spec.sparse == "auto" and _has_holes(content))
        if sparse or spec.compressed is not None:
            return _said_form(sparse, bool(spec.compressed)), None
        if spec.encrypted is False:
            return None, None
        return rules.form, rules.encrypt

    def _check_form(self, form: Form | None) -> None:
        if form in COMPRESSED_FORMS and not self._compresses:
            raise ManifestError(
                f"compressed: NTFS compresses no clusters of {self._cluster_bytes} bytes: 4096 at most"
            )

    def _traits(self, spec: FeatureSpec, rules: Rules) -> Traits:
        said = {name: value for name in _COPIED if (value := getattr(spec, name)) is not None}
        if spec.security is None and rules.security is not None:
            said["security"] = rules.security
        if spec.reparse is not None:
            said["reparse"] = spec.reparse
        elif spec.symlink is not None:
            said["reparse"] = reparse_point.symlink(spec.symlink.target)
        return Traits(**said) if said else NO_TRAITS

    def _streams(self, spec: FeatureSpec, encrypted: bool) -> tuple[NamedStream, ...]:
        if not spec.streams:
            return ()
        # In the order in which NTFS has them: how a manifest is written makes no other image.
        by_name = sorted(spec.streams, key=lambda name: upcase.code_units(upcase.upper(name)))
        return tuple(self._stream(name, spec.streams[name], encrypted) for name in by_name)

    def _stream(self, name: str, spec: StreamSpec, encrypted: bool) -> NamedStream:
        content = self._sources.resolved(spec.content)
        try:
            content = self._sources.with_digest(content, spec.sha256)
        except ManifestError as error:
            raise ManifestError(f"streams: {name}: {error}") from None
        form = _said_form(bool(spec.sparse), bool(spec.compressed))
        if encrypted or spec.plain_bytes is not None:
            form = "encrypted"
        self._check_form(form)
        if spec.valid_bytes is not None and spec.valid_bytes > size_of(content):
            raise ManifestError(
                f"streams: {name}: valid_data is {spec.valid_bytes}, the stream has {size_of(content)} bytes"
            )
        return NamedStream(name, self._pin(content), form, spec.valid_bytes, spec.plain_bytes)


def attributes_of(said: int | None, features: Features, usual: int) -> int:
    """The FILE_ATTRIBUTE bits of a new file, by default with that of extended attributes, as on Windows."""
    if said is not None:
        return said
    return usual | (_OF_EA if features.traits.ea or features.traits.unix else 0)


def _said_form(sparse: bool, compressed: bool) -> Form:
    if compressed:
        return "sparse_compressed" if sparse else "compressed"
    return "sparse" if sparse else "plain"


def form_of_directory(spec: FeatureSpec, rules: Rules) -> Form | None:
    """The form that files inherit from a directory; `rules` are those of its parent."""
    if spec.encrypted:
        return "encrypted"
    if spec.compressed is not None:
        return "compressed" if spec.compressed else "plain"
    return "plain" if spec.encrypted is False and rules.form == "encrypted" else rules.form


def _made(features: Features) -> Features:
    return NO_FEATURES if features == NO_FEATURES else features


def _has_holes(content: Content) -> bool:
    """Whether a content has parts that need no clusters; a host file is asked."""
    if isinstance(content, HostFile):
        return host_file.has_holes(content.path)
    if isinstance(content, Segments):
        return True
    return isinstance(content, Fill) and content.seed is None and content.size_bytes > 0


def _with_unix(traits: Traits, spec: FeatureSpec, source: UnixMetadata | None) -> Traits:
    """With the extended attributes: those that are said, and WSL's."""
    unix = spec.unix if isinstance(spec.unix, UnixSpec) else source
    if spec.ea is None and unix is None:
        return traits
    said: list[Entry] = list(spec.ea or ())
    try:
        known: list[Entry] = []
        if unix is not None:
            known = unix_metadata.extended_attributes(unix.uid, unix.gid, unix.mode, unix.dev)
        extended_attributes.pack([*said, *known])  # Together they may be too long.
    except ValueError as error:  # A tar archive may hold larger numbers.
        raise ManifestError(f"unix: source: {error}") from None
    return traits._replace(
        ea=None if spec.ea is None else extended_attributes.pack(said),
        unix=extended_attributes.pack(known) if known else None,
    )


def link_spec(
    link: SourceLink, rule: LinksRule, asked: Callable[[], UnixMetadata | None], rules: Rules
) -> FeatureSpec:
    """A link of a source as if the manifest had described it; `asked` returns its UNIX metadata."""
    unix = asked() if rules.unix_from_source or link.kind in ("char", "block") else None
    if link.kind != "symlink":
        special = UnixSpec(None, None, _SPECIAL_MODES[link.kind], unix.dev if unix else None)
        if unix and rules.unix_from_source:
            special = special._replace(uid=unix.uid, gid=unix.gid, mode=unix.mode)
        return FeatureSpec(reparse=reparse_point.wsl_special(link.kind), unix=special)
    said = None if unix is None else UnixSpec(unix.uid, unix.gid, unix.mode)
    try:
        if rule == "wsl":
            return FeatureSpec(reparse=reparse_point.wsl_symlink(link.target), unix=said)
        target = link.target.decode()
        value = reparse_point.symlink(target)
    except UnicodeDecodeError:
        raise ManifestError(f"is a symbolic link to {shown(link.target)}, which is not UTF-8") from None
    except ValueError as error:
        raise ManifestError(f"is a symbolic link to {shown(link.target)}: {error}") from None
    if "\\" in target or not reparse_point.windows_target(target)[2]:
        raise ManifestError(
            f"is a symbolic link to {shown(link.target)}, which means something else to Windows"
        )
    return FeatureSpec(symlink=Symlink(target, link.directory or None), reparse=value, unix=said)


def _unix_of(content: Content | None) -> UnixMetadata:
    if isinstance(content, HostFile):
        return host_file.unix_metadata(content.path)
    raise ManifestError("unix: source: there is no host file to take it from")
