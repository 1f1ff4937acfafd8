"""ls, tree, cat, stat: what lies on a volume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ntfsbuild.cli.app import HostPath, app, common
from ntfsbuild.cli.images import image_options
from ntfsbuild.cli.settings import Settings
from ntfsbuild.cli.streams import binary_output, is_device, save, save_sparse, say, say_damage
from ntfsbuild.errors import HostError, ManifestError, VolumeError

if TYPE_CHECKING:
    from ntfsbuild.crypto import PrivateKey
    from ntfsbuild.report.listing import Listed
    from ntfsbuild.volume.opening import Volume

DAMAGED = 1
_LINES_AT_ONCE = 500
_MOST_UNANNOUNCED_BYTES = 1 << 40  # More takes hours to write to a pipe.

_Command = TypeVar("_Command", bound=Callable[..., Any])


path_argument = click.argument("path", default="/")
system_option = click.option("-a", "--all", "system", is_flag=True, help="Show the NTFS system files, too.")


@app.command()
@image_options
@path_argument
@click.option("-l", "--long", is_flag=True, help="Show attributes, size and time of modification (UTC).")
@click.option("-R", "--recursive", is_flag=True, help="Show everything below PATH, with full paths.")
@system_option
@common
@click.pass_obj
def ls(
    settings: Settings,
    image: str,
    offset: int | None,
    partition: int | None,
    path: str,
    long: bool,
    recursive: bool,
    system: bool,
) -> None:
    """List the directory PATH of IMAGE, or one file."""
    from ntfsbuild.report.listing import listed_line, long_text, name_text

    with _opened(image, offset, partition, settings) as volume:
        items = _listed(volume, volume.resolve(_absolute(path)), recursive=recursive, system=system)
        if settings.json:
            _print_array(map(listed_line, items))
            return
        text = long_text if long else name_text
        for item in items:
            print(text(item, whole_path=recursive))


@app.command()
@image_options
@path_argument
@system_option
@common
@click.pass_obj
def tree(
    settings: Settings, image: str, offset: int | None, partition: int | None, path: str, system: bool
) -> None:
    """Draw the tree below PATH of IMAGE; with --json, list its entries in the same order."""
    from ntfsbuild.report.listing import listed_line, name_text, tree_lines

    with _opened(image, offset, partition, settings) as volume:
        top = volume.resolve(_absolute(path))
        items = _listed(volume, top, recursive=True, system=system)
        if settings.json:
            _print_array(map(listed_line, items))
            return
        # Entries of the top directory have depth 0.  A top that is a file has depth -1.
        depth = 1 if top == "/" else top.count("/") + 1
        drawn = ((item.path.count("/") - depth, name_text(item, whole_path=False)) for item in items)
        for line in tree_lines(top, drawn):
            print(line)


@app.command()
@image_options
@click.argument("path")
@click.option("-o", "--output", metavar="FILE", type=HostPath(), help="Write the content to this file.")
@click.option("--stream", default="", metavar="NAME", help="Read this alternate data stream.")
@click.option(
    "--key",
    "key_file",
    metavar="FILE",
    type=HostPath(),
    help="Decrypt encrypted content with this private key (PFX or PEM).",
)
@click.option(
    "--passphrase-file",
    metavar="FILE",
    type=HostPath(),
    help="Read the passphrase of the key from this file.",
)
@common
@click.pass_obj
def cat(
    settings: Settings,
    image: str,
    offset: int | None,
    partition: int | None,
    path: str,
    output: str | None,
    stream: str,
    key_file: str | None,
    passphrase_file: str | None,
) -> None:
    """Write the content of the file PATH of IMAGE to standard output."""
    from ntfsbuild.content.outputs import output_is_no_input
    from ntfsbuild.report.words import escaped, size_text

    inputs = {"the image": image, "the key": key_file, "the file of the passphrase": passphrase_file}
    with output_is_no_input(output, inputs):
        key = _key(key_file, passphrase_file)
        with _opened(image, offset, partition, settings) as volume:
            file = volume.open_file(_absolute(path))
            size_bytes = file.stream(stream).size_bytes
            if output is not None and not is_device(output):
                save_sparse(output, file.data_pieces(stream, key=key), size_bytes)
                return
            if size_bytes > _MOST_UNANNOUNCED_BYTES:
                size = size_text(size_bytes)
                say(f"note: {escaped(path)} has {size}; `-o FILE` writes no zeros for its holes")
            if output is not None:
                save(output, file.pieces(stream, key=key))
                return
            out = binary_output()
            out.writelines(file.pieces(stream, key=key))
            out.flush()


def _key(key_file: str | None, passphrase_file: str | None) -> PrivateKey | None:
    """The private key that the options name; line ends after the passphrase are removed."""
    if key_file is None:
        if passphrase_file is not None:
            raise click.UsageError("--passphrase-file is for a key: name the --key, too")
        return None
    from ntfsbuild.crypto import load_key

    passphrase = None if passphrase_file is None else _content(passphrase_file).rstrip(b"\r\n")
    try:
        return load_key(_content(key_file), passphrase)
    except ManifestError as error:
        raise ManifestError(f"{key_file}: {error}") from None


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


@app.command()
@image_options
@click.argument("path", required=False)
@common
@click.pass_obj
def stat(settings: Settings, image: str, offset: int | None, partition: int | None, path: str | None) -> None:
    """Show all metadata of PATH of IMAGE, or of the volume when no PATH is given."""
    from ntfsbuild.report.listing import facts_lines, file_facts, file_lines, volume_facts

    with _opened(image, offset, partition, settings) as volume:
        if path is None:
            facts = volume_facts(volume.label, volume.geometry)
        else:
            facts = file_facts(volume.details(volume.resolve(_absolute(path))))
        if settings.json:
            print(json.dumps(facts, ensure_ascii=False))
            return
        for line in facts_lines(facts) if path is None else file_lines(facts):
            print(line)


@contextmanager
def _opened(image: str, offset: int | None, partition: int | None, settings: Settings) -> Iterator[Volume]:
    """The volume of an image; errors of the volume carry the image's name.

    Damage that was skipped is reported at the end, and makes the exit code 1.
    """
    damage: tuple[str, ...] = ()
    try:
        with _open(image, offset, partition) as volume:
            try:
                yield volume
            finally:
                damage = volume.damage.messages
    except VolumeError as error:
        say_damage(image, damage, settings)  # Damage may be the reason that a path was not found.
        error.args = (f"{image}: {error}",)
        raise
    say_damage(image, damage, settings)
    if damage:
        raise click.exceptions.Exit(DAMAGED)


def _open(image: str, offset: int | None, partition: int | None) -> Volume:
    from ntfsbuild.volume.opening import Volume

    try:
        return Volume.open(image, offset=offset, partition=partition)
    except OSError as error:
        raise HostError(f"{image}: {error.strerror or error}") from None


def _absolute(path: str) -> str:
    return "/" + path.strip("/")


def _listed(volume: Volume, top: str, *, recursive: bool, system: bool) -> Iterator[Listed]:
    """The entries of a directory in the order of its index, or everything below it; or one file."""
    from ntfsbuild.report.listing import Listed

    info = volume.stat(top)
    if not info.is_directory:
        yield Listed(top, False, info.size_bytes, info.attributes, info.times, info.record)
    elif recursive:
        for path, item in volume.walk(top, system=system):
            yield Listed(path, item.is_directory, item.size_bytes, item.attributes, item.times, item.record)
    else:
        prefix = top.rstrip("/") + "/"
        for item in volume.listdir(top, system=system):
            path = prefix + item.name
            yield Listed(path, item.is_directory, item.size_bytes, item.attributes, item.times, item.record)


def _print_array(lines: Iterator[str]) -> None:
    """Print one JSON array, one item a line; items found before an error are printed, too."""
    begin = "[\n"
    held: list[str] = []
    try:
        for line in lines:
            held.append(line)
            if len(held) == _LINES_AT_ONCE:
                print(begin + ",\n".join(held), end="")
                held, begin = [], ",\n"
    finally:
        if held:
            print(begin + ",\n".join(held), end="")
    print("[]" if begin == "[\n" and not held else "\n]")
