"""Manifests in which features meet at random: always the same ones for the same seed."""

from __future__ import annotations

from random import Random
from typing import Any

Spec = dict[str, Any]

ENCRYPTED = {"to": "files/alice.pem"}
GUID = "6f1b6c1e-2a57-4a7e-9d3c-0f3f6a1f{:04x}"
TIMES = ["2001-02-03", "1970-01-01T00:00:00.1234567Z", {"modified": "2010-10-10"}]
ATTRIBUTES = ["readonly", "hidden", "system", "archive", "temporary", "offline", "pinned", "recall_on_open"]
SECURITY = ["read_only", "O:SYG:SYD:PAI(A;;FA;;;SY)", "D:AI(A;OICI;FR;;;WD)", "O:BAG:BAD:(A;OICIIO;FA;;;CO)"]
LINKS: list[Spec] = [
    {"symlink": "..\\x"},
    {"symlink": "d", "directory": True},
    {"wsl_symlink": "/etc"},
    {"wsl": "fifo"},
    {"wsl": {"char": [1, 3]}},
    {"junction": "C:\\j"},
    {"mount_point": GUID.format(1)},
    {"app_exec_link": {"package": "p", "entry_point": "e", "target": "C:\\t.exe"}},
]
NAMES = ["file", "a long name with spaces", "X", "über", "Dir", "q.txt", "longer.extension"]


def tree(seed: int) -> Spec:
    """Up to thirty files, directories and links."""
    dice, made = Random(seed), dict[str, Any]()
    directories, files = [""], list[str]()
    for number in range(1, dice.randrange(4, 30)):
        path = f"{dice.choice(directories)}{dice.choice(NAMES)}{number}"
        if dice.random() < 0.2:
            made[path + "/"] = {".": _directory(dice, number)}
            directories.append(path + "/")
        elif files and dice.random() < 0.15:
            made[path] = {"hardlink": dice.choice(files)} | _some(dice, {"name_times": TIMES})
        elif dice.random() < 0.15:
            made[path] = dict(dice.choice(LINKS))
        else:
            made[path] = _file(dice, number)
            files.append(path)
    return made


def _some(dice: Random, choices: dict[str, list[Any]], share: float = 0.2) -> Spec:
    return {key: dice.choice(values) for key, values in choices.items() if dice.random() < share}


def _common(dice: Random, number: int) -> Spec:
    said = _some(
        dice,
        {
            "times": TIMES,
            "name_times": TIMES,
            "entry_times": TIMES,
            "security": SECURITY,
            "short_name": [True, False, f"S{number}.T"],
            "ea": [{"user.a": "v"}, {f"user.{k}": "v" * 300 for k in range(9)}],
            "unix": [{"uid": 7}, {"gid": 7, "mode": "0640"}],
            "object_id": [GUID.format(number)],
            "usn": [1 << 33],
            "owner_id": [256],
        },
    )
    if dice.random() < 0.2:
        said["attributes"] = dice.sample(ATTRIBUTES, dice.randrange(4))
    return said


def _directory(dice: Random, number: int) -> Spec:
    said = _common(dice, number) | _some(dice, {"case_sensitive": [True]}, 0.1)
    said |= dice.choice([{}, {}, {"compressed": True}, {"compressed": False}, {"encrypted": ENCRYPTED}])
    return said | ({"streams": _streams(dice, plain=True)} if dice.random() < 0.2 else {})


def _file(dice: Random, number: int) -> Spec:
    said, size = _common(dice, number), dice.choice([0, 1, 40, 500, 700, 4096, 65537, 300000])
    said |= _content(dice, size)
    form = dice.choice(["plain", "plain", "sparse", "compressed", "encrypted", "valid_data"])
    if form == "encrypted":
        said["encrypted"] = ENCRYPTED
    elif form == "valid_data" and size:
        said["valid_data"] = dice.randrange(size + 1)
    elif form in ("sparse", "compressed") and size:
        said[form] = True
    if dice.random() < 0.3:
        said["streams"] = _streams(dice, plain=form == "encrypted")
    return said


def _content(dice: Random, size: int) -> Spec:
    content = dice.choice([{"fill": "random"}, {}, {"data": [{"at": 100000, "text": "x" * 99}]}])
    return {"size": size} | (content if "data" not in content or size > 200000 else {})


def _streams(dice: Random, *, plain: bool) -> Spec:
    return {
        f"{dice.choice(['s', 'é', 'Zone.Identifier'])}{number}": _content(
            dice, dice.choice([0, 9, 600, 70000])
        )
        | ({} if plain else dice.choice([{}, {"sparse": True}, {"compressed": True}]))
        for number in range(dice.choice([1, 2, 40]))
    }
