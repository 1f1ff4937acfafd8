"""One history of one volume: every step is done on the volume and on the model, which must stay alike."""

from __future__ import annotations

import contextlib
import filecmp
from collections.abc import Iterator
from pathlib import Path

import pytest

import ntfsbuild
from ntfsbuild.errors import CorruptVolume, ManifestError, NoRoom, NtfsBuildError, VolumeError
from ntfsbuild.volume.opening import Volume
from tests.model.bench import Bench
from tests.model.comparing import check, check_file
from tests.model.doing import do
from tests.model.model import Model, Refused, TooLarge
from tests.model.steps import Step, operation_of, time_of
from tests.volume.changing import PlainStorage

# What happens to a volume beside the steps.
COMMIT: Step = {"commit": True}
COMMIT_AND_REOPEN: Step = {"commit": True, "reopen": True}
ABANDON: Step = {"abandon": True}

_LOOKED_AT = ("write", "append", "truncate", "touch", "set", "mkdir")


class History:
    """Steps on a copy of the base; `steps` are those that were neither refused nor given up."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.model = bench.base.model.copy()
        self.events: list[Step] = []
        self.steps: list[Step] = []
        self.commits: list[int] = []
        self._refused: list[Step] | None = None  # The last step that was, and those before it.
        bench.histories += 1
        self.image = bench.copy_of_base(f"{bench.histories}.img")
        self.applied = self.image.with_suffix(".applied.img")
        self._committed = self.model.copy()
        self.has_failed = False
        self.volume = Volume.open(self.image, "r+")

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Note what led to a failure."""
        try:
            yield
        except Exception:
            self.has_failed = True
            self.bench.failed = self.events
            raise

    # ------------------------------------------------------------------ doing

    def do(self, event: Step) -> None:
        """A step, a commit, or giving up."""
        self.events.append(event)
        with self._noting():
            if "commit" in event:
                self._commit()
                if "reopen" in event:
                    self._reopen()
            elif "abandon" in event:
                self._abandon()
            else:
                self._take(event)

    def _take(self, step: Step) -> None:
        """Do one step, or see it refused by the volume as it is by the model."""
        self.bench.operations += 1
        now = time_of(step, len(self.steps))
        refusal, error = self._refusal(step, now), self._error(step, now)
        if isinstance(error, NoRoom):
            assert isinstance(refusal, TooLarge) or not self.bench.base.is_roomy, error
            if self._broke_off(now):
                with pytest.raises(VolumeError, match="cannot be committed any more"):
                    self.volume.commit()
                self._abandon()
            elif refusal is None:  # Only the model has done it.
                self._abandon()
            else:  # No cluster was taken: nothing may have changed, as later checks show.
                self._refused = [*self.steps, step]
            return
        assert (refusal is None) == (error is None), (
            f"{step}: the model {f'refuses: {refusal}' if refusal else 'does it'}, "
            f"the volume {f'refuses: {error}' if error else 'does it'}"
        )
        if refusal:
            self._refused = [*self.steps, step]
            return
        self.steps.append(step)
        if operation_of(step) in _LOOKED_AT:
            check_file(self.volume, self.model, step[operation_of(step)], step.get("stream", ""))

    def _broke_off(self, now: int) -> bool:
        """Whether the volume takes no more changes."""
        with pytest.raises(VolumeError) as caught:
            self.volume.remove("/a file that nobody makes", now)
        return "broke off" in str(caught.value)

    def _refusal(self, step: Step, now: int) -> Refused | None:
        try:
            self.model.take(step, now)
        except Refused as refusal:
            return refusal
        return None

    def _error(self, step: Step, now: int) -> NtfsBuildError | None:
        try:
            do(self.volume, step, now, posix_names=self.model.posix_names)
        except CorruptVolume:
            raise
        except (VolumeError, ManifestError) as error:
            return error
        return None

    def _commit(self) -> None:
        check(self.volume, self.model, committed=False)
        try:
            self.volume.commit()
        except NoRoom:
            assert not self.bench.base.is_roomy
            self._abandon()
            return
        self.commits.append(len(self.steps))
        self._committed = self.model.copy()
        with self._read_anew() as volume:
            check(volume, self.model, committed=True)
        if self.bench.every_commit:
            self.volume.close()
            self.bench.judge.now(self.image, self.model)
            self._reopen()

    @contextlib.contextmanager
    def _read_anew(self) -> Iterator[Volume]:
        """The image as it is on the disk, beside the volume that has it locked."""
        storage = PlainStorage(self.image)
        try:
            yield Volume(storage)
        finally:
            storage.close()

    def free_bytes(self) -> int:
        """What $Bitmap says of the last commit."""
        with self._read_anew() as volume:
            bitmap, geometry = volume.read("/$Bitmap"), volume.geometry
        used = (int.from_bytes(bitmap, "little") & (1 << geometry.cluster_count) - 1).bit_count()
        return (geometry.cluster_count - used) * geometry.cluster_bytes

    def _abandon(self) -> None:
        """Open the volume anew without a commit: what happened since the last one did not."""
        del self.steps[self.commits[-1] if self.commits else 0 :]
        self.model = self._committed.copy()
        self._reopen()

    def _reopen(self) -> None:
        self.volume.close()
        self.volume = Volume.open(self.image, "r+")

    # ------------------------------------------------------------------ the end

    def finish(self) -> None:
        """Commit; see that the steps of a manifest come to the same; let the quick readers judge both."""
        with self._noting():
            self._commit()
            self.volume.close()
            self.bench.judge.now(self.image, self.model)
            if self._replay():
                with Volume.open(self.applied) as volume:
                    check(volume, self.model, committed=True)
                self.bench.judge.now(self.applied, self.model)
            else:
                self.applied.unlink(missing_ok=True)
            if self._refused and self.bench.base.is_roomy:
                self._refuse(self._refused)

    def _replay(self) -> bool:
        """The steps as one manifest: a new volume is built with them, another one is changed."""
        manifest = self.bench.manifest("steps.yaml", self.steps)
        try:
            if self.bench.base.is_ours and len(self.steps) % 2:
                ntfsbuild.build(manifest, self.applied)
                return True
            self.bench.copy_of_base(self.applied.name)
            ntfsbuild.apply(manifest, self.applied, in_place=len(self.steps) % 4 == 0)
        except NoRoom:
            assert not self.bench.base.is_roomy
            return False
        except ManifestError as error:  # Of a volume that is built, its size is at fault.
            assert not self.bench.base.is_roomy, error
            assert "the volume is full" in str(error), error
            return False
        return True

    def _refuse(self, steps: list[Step]) -> None:
        """A manifest whose last step is refused changes nothing, but for what lies in free clusters."""
        base, in_place = self.bench.base, len(steps) % 2 == 0
        image = self.bench.copy_of_base("refused.img")
        with pytest.raises(ManifestError):
            ntfsbuild.apply(self.bench.manifest("refused.yaml", steps), image, in_place=in_place)
        if in_place:
            with Volume.open(image) as volume:
                check(volume, base.model, committed=True)
        else:
            assert filecmp.cmp(image, base.image, shallow=False)

    def cases(self) -> list[tuple[Path, Model]]:
        """The images that it left, with what is on them."""
        return [(image, self.model) for image in (self.image, self.applied) if image.exists()]

    def remove(self) -> None:
        self.volume.close()
        for image in (self.image, self.applied):
            image.unlink(missing_ok=True)
