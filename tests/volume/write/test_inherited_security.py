"""What a directory hands down."""

from __future__ import annotations

import pytest

from ntfsbuild.errors import CorruptVolume, ManifestError
from ntfsbuild.ondisk import sddl, security, security_inheritance
from ntfsbuild.volume.write.inherited_security import InheritedSecurity


@pytest.mark.parametrize("directory", [True, False])
@pytest.mark.parametrize("above", [security.ROOT, security.DEFAULT_DIRECTORY])
def test_what_is_known_from_the_beginning_is_what_would_be_computed(above: bytes, directory: bool) -> None:
    known = InheritedSecurity().descriptor(above, None, directory=directory)
    assert known == security_inheritance.inherited(above, directory=directory)


def test_what_was_asked_once_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    above = sddl.parse("O:SYG:SYD:(A;OICI;FA;;;BA)")
    inherited = InheritedSecurity()
    first = inherited.descriptor(above, None, directory=False)
    monkeypatch.setattr(security_inheritance, "inherited", None)
    assert inherited.descriptor(above, None, directory=False) is first


def test_who_is_to_blame() -> None:
    inherited = InheritedSecurity()
    with pytest.raises(CorruptVolume, match="the security descriptor of the directory"):
        inherited.descriptor(b"\1\0\4", None, directory=False)
    with pytest.raises(ManifestError, match="security: "):
        inherited.descriptor(security.ROOT, b"\1\0\4", directory=False)
