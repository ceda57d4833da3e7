"""Is a host or a URL on a block list? A sorted file of hashes answers, mapped into memory once for all workers.

The lists that datatrove ships have 4,558,940 hosts and 19,587 URLs: 761 MB as a Python set in every worker, 37 MB here.
A name is the xxh3 hash of 64 bits of a host (`example.org`) or of a URL without scheme (`example.org/a/page`), so one
file holds both. Two names of such a list share a hash in one of two million lists; a page is blocked by mistake once in
some 10^12 look-ups."""

from __future__ import annotations

import gzip
import importlib.util
import re
import tarfile
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hfllm.errors import UserMistake
from hfllm.web import whole

if TYPE_CHECKING:
    import numpy as np

FILES = ("domains", "domains.gz", "urls", "urls.gz")  # what a category of UT1 is made of; `expressions` are not read
LAYOUT = 1  # raised when the same lists give another index
MAX_HOST = 253  # characters, RFC 1035
URL = re.compile(
    r"(?:(?:[a-z][a-z0-9+.-]*:)?//)?(?:[^/?#@]*@)?(?P<host>\[[^]]*]|[^/?#:]*)(?::\d*)?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


def assets() -> Path | None:
    """Where datatrove's lists lie; None without datatrove. Does not import it."""
    spec = importlib.util.find_spec("datatrove")
    return Path(spec.origin).parent / "assets" if spec and spec.origin else None


def files(source: str) -> list[Path]:
    """The files of one entry of `lists:`. Raises `UserMistake` when there are none."""
    if source == "datatrove":
        found = sorted(assets_folder.glob("url_filterblacklists*.tar.gz")) if (assets_folder := assets()) else []
        if not found:
            raise UserMistake("lists: datatrove: its block lists are not there; to mend it:  pip install datatrove")
        return found
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserMistake(f"lists: {source}: no such file or folder; write `datatrove` for the lists that it ships")
    found = sorted(file for file in path.rglob("*") if file.name in FILES)
    if not found:
        raise UserMistake(f"lists: {source}: no file in this folder is named {', '.join(FILES)}")
    return found


def split(url: str) -> tuple[str, str]:
    """split("https://WWW.Example.org:443/a?b") == ("www.example.org", "/a?b")"""
    match = URL.match(url.strip())
    assert match, "the expression also matches an empty text"
    host = match["host"].rstrip(".").lower()
    return host if host.isascii() else _punycode(host), match["rest"]


def parents(host: str) -> list[str]:
    """parents("www.example.org") == ["www.example.org", "example.org", "org"]: all that blocks the host."""
    names = [host]
    if len(host) > MAX_HOST:  # no host, and ten thousand dots would take a square of time
        return names
    while (dot := host.find(".")) >= 0:
        host = host[dot + 1 :]
        names.append(host)
    return names


def name(host: str, rest: str) -> str:
    """The name of a URL in the index: scheme, port, `www.` and the last slash make no difference."""
    rest = rest.rstrip("/")
    return host.removeprefix("www.") + rest if rest else host


def build(sources: Iterable[str], folder: Path) -> Path:
    """The index of these lists in `folder`; made unless it is there already. Takes twice the memory of the index."""
    import numpy as np

    paths = [path for source in sources for path in files(source)]
    target = folder / f"{LAYOUT}-{digest(paths)}.npy"
    if not target.exists():
        hashes = _sorted_hashes(line for path in paths for line in _whole_lines(path))
        with whole.writing(target) as file:  # who builds the same at the same time writes the same
            np.save(file, hashes)
    return target


def digest(paths: Iterable[Path]) -> str:
    """A name for what stands in these files, wherever they lie."""
    from xxhash import xxh3_128_hexdigest

    stats = ((path, path.stat()) for path in paths)
    parts = sorted(_file_digest(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)
    return xxh3_128_hexdigest(" ".join(parts).encode())


class UrlIndex:
    """`"example.org" in index`; the file is read where it is looked at, and all processes share what was read."""

    def __init__(self, path: Path) -> None:
        import numpy as np
        from xxhash import xxh3_64_intdigest

        self._hash = xxh3_64_intdigest
        self._hashes = memoryview(np.load(path, mmap_mode="r"))  # bisect on it needs no array for every page

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, name: str) -> bool:
        wanted = self._hash(name.encode("utf-8", "surrogatepass"))
        place = bisect_left(self._hashes, wanted)
        return place < len(self._hashes) and self._hashes[place] == wanted


@cache
def opened(path: str) -> UrlIndex:
    """The index in this file, opened once in a process."""
    return UrlIndex(Path(path))


def _punycode(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:  # not a name that could be registered, such as one with an empty label
        return host


@cache
def _file_digest(path: Path, size: int, modified: int) -> str:
    """Size and time are arguments only so that a changed file is read again."""
    from xxhash import xxh3_128

    state = xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            state.update(chunk)
    return state.hexdigest()


def _sorted_hashes(lines: Iterable[bytes]) -> np.ndarray:
    import numpy as np
    from xxhash import xxh3_64_intdigest

    hashes = np.fromiter((xxh3_64_intdigest(entry) for line in lines if (entry := _entry(line))), np.uint64)
    hashes.sort()
    first = np.ones(len(hashes), bool)
    first[1:] = hashes[1:] != hashes[:-1]
    return hashes[first]


def _entry(line: bytes) -> bytes:
    """The name that a line of a list stands for; empty for a comment."""
    line = line.strip()
    if line.startswith(b"#"):
        return b""
    if b"/" not in line and b":" not in line and line.isascii():  # nearly all of them: a host
        return line.lower().rstrip(b".")
    return name(*split(line.decode("utf-8", "replace"))).encode("utf-8", "surrogatepass")


def _whole_lines(path: Path) -> Iterator[bytes]:
    try:
        yield from _lines(path)
    except (EOFError, gzip.BadGzipFile, zlib.error, tarfile.ReadError) as error:
        raise UserMistake(f"lists: {path}: the file is broken ({error}); get it again") from error


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a list: text, text in gzip, or all files `domains` and `urls` of a tar archive."""
    if path.name.endswith((".tar.gz", ".tgz")):
        yield from _archived_lines(path)
        return
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        yield from file


def _archived_lines(path: Path) -> Iterator[bytes]:
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            if member.isfile() and Path(member.name).name in ("domains", "urls"):
                file = archive.extractfile(member)
                assert file is not None, "a plain file can be read"
                yield from file
