"""Runs inside the VM: mounts every disk with ntfs3, reads everything on it, and tells the host.

One JSON object a line goes to the virtio-serial port "oracle": {"e": kind, "d": disk, …}.  Every
failed system call is reported and nothing is fatal but a failed mount of that disk.  Needs only the
standard library.  Names travel as the bytes that the kernel gives, undecodable ones escaped.
"""

import ctypes
import errno
import fcntl
import hashlib
import json
import os
import stat
import struct
import sys
import threading
import time
import traceback

sys.path.insert(0, "/")
from changes import Change, perform, unpack

MOUNT_POINT = b"/mnt"
CHUNK = 1 << 20
DISK_DRIVER = "/modules/virtio_blk.ko"
HASHED_MAX = 256 << 20  # Of larger files both ends of each extent are read, and nothing is hashed.
CROWD = 5_000  # In a directory of more entries, only some names are looked up, and fewer files opened.
LOOKED_UP, OPENED = 5, 20
STEP = 5  # So many names, of 255 three-byte characters each, stay below PATH_MAX.
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
}
READ_ONLY, NO_TIMES = 1, 1024
FIEMAP, FIEMAP_UNWRITTEN, FIEMAP_LAST = 0xC020660B, 0x800, 1
NOT_APPENDABLE = 0x4E05  # Read-only, system, sparse, reparse point, compressed, encrypted.

libc = ctypes.CDLL(None, use_errno=True)
BUFFER = ctypes.create_string_buffer(1 << 16)
libc.mount.argtypes = [ctypes.c_char_p] * 3 + [ctypes.c_ulong, ctypes.c_char_p]


class Port:
    """The way out; lines are sent in blocks, at the latest every second."""

    def __init__(self) -> None:
        self.fd = os.open(_port("oracle"), os.O_WRONLY)
        self.lock = threading.Lock()
        self.lines: list[bytes] = []
        self.size = self.sent = self.entries = self.disk = 0
        self.path = b""

    def put(self, event: str, **fields: object) -> None:
        line = json.dumps({"e": event, "d": self.disk, **fields}, separators=(",", ":")).encode() + b"\n"
        with self.lock:
            self.lines.append(line)
            self.size += len(line)
            self.sent += 1
            if self.size > 60_000:
                self._flush()

    def fault(self, what: str, path: bytes, error: "OSError | str") -> None:
        text = error if isinstance(error, str) else errno.errorcode.get(error.errno or 0, str(error))
        self.put("fault", what=what, p=_name(path), text=text)

    def flush(self) -> None:
        with self.lock:
            self._flush()

    def _flush(self) -> None:
        data = memoryview(b"".join(self.lines))
        self.lines, self.size = [], 0
        while data:
            data = data[os.write(self.fd, data) :]


def _port(name: str) -> str:
    top = "/sys/class/virtio-ports"
    for _ in range(200):
        for port in os.listdir(top) if os.path.isdir(top) else []:
            if _text(f"{top}/{port}/name") == name:
                return "/dev/" + port
        time.sleep(0.05)
    raise SystemExit(f"oracle: no virtio port {name}")


class KernelLog:
    def __init__(self, port: Port) -> None:
        self.port = port
        self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self.lock = threading.Lock()

    def skip(self) -> None:
        os.lseek(self.fd, 0, os.SEEK_END)

    def drain(self) -> None:
        with self.lock:
            while True:
                try:
                    head, _, message = os.read(self.fd, 8192).partition(b";")
                except BlockingIOError:
                    return
                except BrokenPipeError:
                    self.port.put("log", level=4, text="kernel log records were lost")
                    continue
                level = int(head.split(b",")[0]) & 7
                self.port.put("log", level=level, text=message.split(b"\n")[0].decode("utf-8", "replace"))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return ""


def _name(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _device(serial: str) -> str:
    names = os.listdir("/sys/block")
    return next((name for name in names if _text(f"/sys/block/{name}/serial") == serial), "")


class Disk:
    """One disk of the machine, mounted again and again."""

    def __init__(self, number: int, port: Port, log: KernelLog, values: bool) -> None:
        self.port, self.log, self.values = port, log, values
        port.disk = number
        self.device = _device(f"disk{number}")
        self.victim: bytes | None = None  # What the writing run may append to.

    def mount(self, phase: str, flags: int) -> bool:
        target = f"/dev/{self.device}".encode()
        bad = libc.mount(target, MOUNT_POINT, b"ntfs3", flags, b"iocharset=utf8")
        number = ctypes.get_errno()
        self.log.drain()
        if bad:
            self.port.fault(f"mount ({phase})", b"/", errno.errorcode.get(number, str(number)))
        return not bad

    def unmount(self, phase: str) -> None:
        for _ in range(20):  # EBUSY passes when the last reference goes.
            if not libc.umount2(MOUNT_POINT, 0):
                break
            time.sleep(0.25)
        else:
            self.port.fault(f"unmount ({phase})", b"/", os.strerror(ctypes.get_errno()))
        self.log.drain()

    def sectors_written(self) -> int:
        return int(_text(f"/sys/block/{self.device}/stat").split()[6])

    def read(self, phase: str) -> bool:
        """Mount read-only and list everything; a driver that writes meanwhile repairs in silence."""
        self.port.put("phase", name=phase)
        before = self.sectors_written()
        if not self.mount(phase, READ_ONLY):
            return False
        try:
            self.walk()
        finally:
            self.unmount(phase)
            os.sync()
        if written := self.sectors_written() - before:
            self.port.fault("read-only", b"/", f"the driver wrote {written} sectors")
        self.port.flush()
        return True

    def walk(self) -> None:
        pending, seen = [b""], set()
        while pending:
            path = pending.pop()
            self.port.path = path or b"/"
            try:
                fd = _open_folder(path)
            except OSError as error:
                self.port.fault("open", path, error)
                continue
            inode = os.fstat(fd).st_ino
            if inode in seen:
                self.port.fault("loop", path, "the directory was seen before")
            else:
                seen.add(inode)
                pending += reversed(self.folder(path, b"/proc/self/fd/%d/" % fd))
            os.close(fd)

    def folder(self, path: bytes, at: bytes) -> list[bytes]:
        """Listed twice: ntfs3 may end a damaged directory early and only then mark it bad."""
        names: list[tuple[bytes, int, bool]] = []
        try:
            with os.scandir(at) as items:
                names = [(item.name, item.inode(), item.is_dir(follow_symlinks=False)) for item in items]
            again = os.listdir(at)
            if sorted(again) != sorted(name for name, *_ in names):
                self.port.fault("readdir", path, f"{len(names)} names, then {len(again)}")
        except OSError as error:
            self.port.fault("readdir", path, error)
        if len({name for name, *_ in names}) != len(names):
            self.port.fault("readdir", path, "a name is listed twice")
        crowded, folders = len(names) > CROWD, []
        for index, (name, inode, is_folder) in enumerate(names):
            child = path + b"/" + name
            if crowded and index % LOOKED_UP and not is_folder:
                self.port.entries += 1
                self.port.put("entry", p=_name(child), kind="file", ino=inode)
            elif self.entry(child, at + name, inode, not crowded or index % OPENED == 0) == "dir":
                folders.append(child)
        return folders

    def entry(self, path: bytes, at: bytes, listed_inode: int, closely: bool) -> str | None:
        """`path` is what it is called, `at` a short way to it."""
        self.port.path = path
        self.port.entries += 1
        try:
            info = os.lstat(at)
        except OSError as error:  # In the directory's list, but not found by name.
            self.port.fault("lookup", path, error)
            return None
        kind = KINDS[stat.S_IFMT(info.st_mode)]
        if listed_inode != info.st_ino:
            self.port.fault("inode", path, f"readdir says {listed_inode}, stat {info.st_ino}")
        times = [info.st_mtime_ns, info.st_atime_ns, info.st_ctime_ns]
        fields: dict[str, object] = {"p": _name(path), "kind": kind, "ino": info.st_ino, "t": times}
        fields["links"] = info.st_nlink
        if kind == "file":
            fields["size"] = info.st_size
        try:
            if kind == "symlink":
                fields["target"] = _name(os.readlink(at))
            elif closely and not self.values:
                self.look_closely(path, at, info, fields)
            if self.values:
                fields |= {"mode": info.st_mode, "owner": [info.st_uid, info.st_gid]}
                fields["device"] = [os.major(info.st_rdev), os.minor(info.st_rdev)]
                fields["values"] = _values(at)
        except OSError as error:
            self.port.fault("read", path, error)
        self.port.put("entry", **fields)
        return kind

    def look_closely(self, path: bytes, at: bytes, info: os.stat_result, fields: dict[str, object]) -> None:
        fields["created"] = _birth(at)
        attributes = struct.unpack("<I", os.getxattr(at, "system.ntfs_attrib"))[0]
        fields["attributes"] = attributes
        try:
            if not os.getxattr(at, "system.ntfs_security"):
                self.port.fault("security", path, "the security descriptor is empty")
        except OSError as error:
            if error.errno not in (errno.ENODATA, errno.ENOENT, errno.EOPNOTSUPP):
                self.port.fault("security", path, error)
        if not stat.S_ISREG(info.st_mode):
            return
        fields["sha256"] = self.digest(path, at, info.st_size)
        appendable = 0 < info.st_size <= 16 << 20 and info.st_nlink == 1 and not attributes & NOT_APPENDABLE
        if appendable and (self.victim is None or path < self.victim):
            self.victim = path

    def digest(self, path: bytes, at: bytes, size: int) -> str | None:
        fd = os.open(at, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            if size > HASHED_MAX:
                for start, end in _extents(fd, size):
                    for offset in {start, max(start, end - CHUNK)}:
                        if not os.pread(fd, min(CHUNK, end - offset), offset):
                            self.port.fault("read", path, f"no data at {offset} of {size}")
                return None
            state, got = hashlib.sha256(), 0
            while piece := os.read(fd, CHUNK):
                state.update(piece)
                got += len(piece)
            if got != size:
                self.port.fault("read", path, f"{got} of {size} bytes")
            return state.hexdigest()
        finally:
            os.close(fd)


def _open_folder(path: bytes) -> int:
    """Step by step where the path is longer than the kernel takes at once."""
    fd = os.open(MOUNT_POINT, os.O_RDONLY)
    names = [name for name in path.split(b"/") if name]
    for start in range(0, len(names), STEP):
        try:
            below = os.open(b"/".join(names[start : start + STEP]), os.O_RDONLY, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def _values(path: bytes) -> dict[str, str]:
    """Its extended attributes, those that ntfs3 makes up and the EAs, in hex by name.

    Python would ask with a short buffer first, and ntfs3 has "no data" for one that is too short.
    """
    names = [b"system.ntfs_attrib", b"system.dos_attrib", b"system.ntfs_security"]
    found: dict[str, str] = {}
    for name in [*names, *map(os.fsencode, os.listxattr(path, follow_symlinks=False))]:
        size = libc.lgetxattr(path, name, BUFFER, len(BUFFER))
        if size >= 0:
            found[_name(name)] = ctypes.string_at(BUFFER, size).hex()
        elif ctypes.get_errno() not in (errno.ENODATA, errno.ENOENT, errno.EOPNOTSUPP):
            raise OSError(ctypes.get_errno(), _name(name))
    return found


def _birth(path: bytes) -> int | None:
    buffer = ctypes.create_string_buffer(256)
    if libc.statx(-100, path, 0x100, 0x800, buffer):  # AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BTIME
        return None
    seconds, nanoseconds = struct.unpack_from("<qI", buffer, 80)
    return int(seconds * 10**9 + nanoseconds)


def _extents(fd: int, size: int) -> list[tuple[int, int]]:
    """Start and end of what is allocated and written, by FIEMAP; all of it where that does not work."""
    at, found, count = 0, [], 200
    try:
        while at < size:
            buffer = bytearray(struct.pack("<QQIIII", at, size - at, 0, 0, count, 0) + bytes(56 * count))
            fcntl.ioctl(fd, FIEMAP, buffer)
            mapped, flags = struct.unpack_from("<I", buffer, 20)[0], 0
            for index in range(mapped):
                start, _, length, _, _, flags = struct.unpack_from("<QQQQQI", buffer, 32 + 56 * index)
                at = start + length
                if not flags & FIEMAP_UNWRITTEN:
                    found.append((start, min(at, size)))
            if not mapped or flags & FIEMAP_LAST:
                break
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOTTY):
            raise
        return [(0, size)]
    return found


# ---- the writing run

SIZES = (0, 1, 100, 600, 700, 4095, 4096, 4097, 10000, 65536)


def _pattern(seed: int, size: int) -> bytes:
    """Bytes that depend on the seed and repeat from no 4 KiB to the next."""
    block = b"".join(hashlib.sha256(b"%d/%d" % (seed, i)).digest() for i in range(128))
    return b"".join(struct.pack("<Q", i) + block[8:] for i in range(-(-size // 4096)))[:size]


class Writer:
    """Makes, renames, replaces, deletes and appends; what must be there afterwards is in `expected`."""

    def __init__(self, disk: Disk) -> None:
        self.disk, self.port = disk, disk.port
        self.expected: dict[bytes, bytes] = {}

    def create(self, path: bytes, data: bytes) -> None:
        with open(MOUNT_POINT + path, "xb") as f:
            f.write(data)
        self.expected[path] = data

    def rename(self, path: bytes, new: bytes) -> None:
        os.rename(MOUNT_POINT + path, MOUNT_POINT + new)
        self.expected[new] = self.expected.pop(path)

    def append(self, path: bytes, tail: bytes) -> None:
        with open(MOUNT_POINT + path, "rb") as f:
            old = f.read()
        with open(MOUNT_POINT + path, "ab") as f:
            f.write(tail)
        self.expected[path] = old + tail

    def run(self) -> None:
        base = b"/written-by-ntfs3"
        sub = base + b"/sub"
        for folder in (base, sub):
            os.mkdir(MOUNT_POINT + folder)
            self.port.put("made", p=_name(folder))
        room = os.statvfs(MOUNT_POINT)
        free = room.f_bfree * room.f_frsize
        count = max(20, min(200, free // (32 << 10)))
        for i in range(count):
            label = f"файл-{i:03}-名前-é" if i % 20 == 7 else f"file {i:03}" + "x" * (i % 20 == 13) * 200
            path = base + b"/" + label.encode()
            self.create(path, _pattern(i, SIZES[i % len(SIZES)]))
            if i % 10 == 3:
                self.rename(path, path + b".renamed")
            elif i % 10 == 5:
                self.rename(path, sub + b"/moved %03d" % i)
            elif i % 10 == 8:
                os.unlink(MOUNT_POINT + path)
                del self.expected[path]
            elif i % 10 == 9:  # Replace an existing file.
                self.create(base + b"/new", _pattern(1000 + i, 5000))
                self.rename(base + b"/new", path)
        self.create(base + b"/big.bin", _pattern(5000, min(5 << 20, free // 8)))
        if self.disk.victim:
            self.append(self.disk.victim, _pattern(3000, 12345))
        os.sync()
        for path, data in self.expected.items():
            sha256 = hashlib.sha256(data).hexdigest()
            self.port.put("expected", p=_name(path), size=len(data), sha256=sha256)


def _write(disk: Disk, changes: list[Change] | None) -> None:
    """What the task says, or else what the Writer does."""
    if not disk.mount("write", NO_TIMES):
        return
    try:
        if changes is None:
            Writer(disk).run()
        else:
            perform(MOUNT_POINT, changes)
            os.sync()
    except OSError as error:
        disk.port.fault("write", os.fsencode(error.filename or b""), error if changes is None else str(error))
    disk.unmount("write")
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")
    disk.read("after")


def _beat(port: Port, log: KernelLog, stop: threading.Event) -> None:
    while not stop.wait(1.0):
        log.drain()
        port.put("alive", n=port.entries, p=_name(port.path))
        port.flush()


def _task() -> dict[str, object]:
    """One line, once the host has it; until then this machine may be saved, and go on with other disks."""
    pieces, fd = [b""], os.open(_port("task"), os.O_RDONLY)
    while not pieces[-1].endswith(b"\n"):
        if piece := os.read(fd, CHUNK):
            pieces.append(piece)
        else:
            time.sleep(0.05)
    task: dict[str, object] = json.loads(b"".join(pieces))
    return task


def main() -> None:
    os.makedirs(MOUNT_POINT, exist_ok=True)
    port = Port()
    log = KernelLog(port)
    os.write(port.fd, b"up\n")
    task = _task()
    time.clock_settime(time.CLOCK_REALTIME, task["now"] / 10**9)
    os.spawnv(os.P_WAIT, "/bin/busybox", ["busybox", "insmod", DISK_DRIVER])
    log.skip()  # What the kernel said while it booted is not about the disks.
    port.put("begin", release=os.uname().release)
    port.flush()
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(port, log, stop), daemon=True)
    beat.start()
    changes = None if task["changes"] is None else unpack(task["changes"])
    for number in range(task["disks"]):
        try:
            disk = Disk(number, port, log, task["values"])
            if changes is not None:
                _write(disk, changes[number])
            elif disk.read("before") and task["write"]:
                _write(disk, None)
        except Exception:
            port.fault("agent", port.path, traceback.format_exc())
        port.put("done")
        port.flush()
    stop.set()
    beat.join(5)
    port.put("end", lines=port.sent + 1)
    port.flush()


main()
