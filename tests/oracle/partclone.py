"""partclone.ntfs copies what $Bitmap says is in use; it checks the bitmap against the volume's size."""

import re
import tempfile
from pathlib import Path

from tests.oracle.model import Geometry, Reader, Reading
from tests.oracle.tools import last_lines, run, text


def check(image: Path) -> Reading:
    with tempfile.TemporaryDirectory(prefix="partclone-") as folder:
        log = Path(folder, "log")
        done = run(["partclone.ntfs", "-c", "-F", "-q", "-f", "0", "-O", "/dev/null", "-L", log, "-s", image])
    output = text(done.stdout)
    complaints = [] if "Cloned successfully." in output and not done.returncode else [last_lines(done.stdout)]
    counts = {name: int(value) for name, value in COUNT.findall(output)}
    geometry = Geometry.of(image)
    clusters = (geometry.volume - geometry.sector) // geometry.cluster
    if counts.get("Device size") != clusters:
        complaints.append(f"counts {counts.get('Device size')} clusters, the boot sector {clusters}")
    return Reading(complaints=complaints)


COUNT = re.compile(r"(Device size|Space in use|Free Space): .* = (\d+) Blocks")

READERS = (Reader("partclone", ("partclone.ntfs",), check),)
