"""The input files of a crawl, each one unit of work: found, named and stamped.

One file is one task, and what is made of it is named after it: a new file is processed alone, and a killed run loses
the files that were being worked on, nothing else."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfllm.errors import UserMistake

SUFFIXES = (".warc", ".wet", ".wat", ".arc", ".jsonl", ".json", ".parquet")
COMPRESSIONS = (".gz", ".zst")


@dataclass(frozen=True)
class Unit:
    """One input file; `name` is that of all files made from it, and changes with its size or time."""

    path: str
    name: str


def find(inputs: Sequence[str], paths_file: str | None, paths_prefix: str, max_files: int | None) -> list[Unit]:
    """All input files, sorted by path. Raises `UserMistake` for a path that leads to no file."""
    paths = [path for one in inputs for path in expand(one)]
    if paths_file is not None:
        paths += [local(paths_prefix + line) for line in lines_of(paths_file)]
    paths = sorted(set(paths))[:max_files]
    if not paths:
        raise UserMistake("inputs: no file to read; write  inputs: [crawl/*.warc.gz]  or  paths_file: warc.paths.gz")
    return [Unit(path, unit_name(path)) for path in paths]


def expand(pattern: str) -> list[str]:
    """A file, all files of a folder, or those that a pattern fits, on any file system that fsspec knows.

    expand("crawl/*.warc.gz") == ["/home/me/crawl/a.warc.gz"]: with all folders, as a worker may start in another."""
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(pattern)
        if any(sign in path for sign in "*?["):
            found = system.glob(path)
        elif system.isdir(path):
            found = [name for name in system.find(path) if is_input(name)]
        else:
            found = [path] if system.exists(path) else []
    except (ImportError, OSError) as error:  # no package for s3://, no network
        raise UserMistake(f"inputs: {pattern}: cannot be read: {error}") from error
    if not found:
        raise UserMistake(f"inputs: {pattern}: no file of this name; expected a file, a folder or a pattern of files")
    return [local(system.unstrip_protocol(name)) for name in found]


def local(path: str) -> str:
    """local("file:///home/me/a.warc") == local("/home/me/a.warc") == "/home/me/a.warc"; other addresses stay."""
    path = path.removeprefix("file://")
    return path if "://" in path else os.path.abspath(path)


def shown(path: str) -> str:
    """How the data set names a file: without the folders of whose machine it was made on."""
    return path if "://" in path else path.rsplit("/", 1)[-1]


def is_input(path: str) -> bool:
    """Whether the ending is one that the stage reads: is_input("a.warc.gz"), not is_input("truth.txt")."""
    plain = next((path.removesuffix(ending) for ending in COMPRESSIONS if path.endswith(ending)), path)
    return plain.endswith(SUFFIXES)


def holds_html(path: str) -> bool:
    """Whether the ending is that of web pages as they were fetched: a.warc.gz, not a.warc.wet.gz."""
    return any(ending in path.rsplit("/", 1)[-1] for ending in (".warc", ".arc")) and ".wet" not in path


def lines_of(path: str) -> list[str]:
    """The lines of a list of files such as Common Crawl's warc.paths.gz."""
    import fsspec

    try:
        with fsspec.open(path, "rb") as file:
            content = file.read()
    except (ImportError, OSError, ValueError) as error:  # ValueError: an address of a kind that fsspec does not know
        raise UserMistake(f"paths_file: {path}: cannot be read: {error}") from error
    text = (gzip.decompress(content) if path.endswith(".gz") else content).decode()
    return [line.strip() for line in text.split("\n") if line.strip()]


def unit_name(path: str) -> str:
    """unit_name("crawl/a.warc.gz") == "a.warc-3f9c21d07ab4": readable, and another one when the file changes."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.rsplit("/", 1)[-1]).removesuffix(".gz")
    return f"{stem[-60:]}-{hashlib.sha256(repr([path, stamp(path)]).encode()).hexdigest()[:12]}"


def stamp(path: str) -> list[Any]:
    """What tells a file from another of the same name; nothing for a web address, which would cost a request each."""
    if path.startswith(("http://", "https://", "s3://")):
        return []
    from fsspec.core import url_to_fs

    system, inside = url_to_fs(path)
    try:
        information = system.info(inside)
    except FileNotFoundError:
        raise UserMistake(f"{path}: no such file") from None
    return [information["size"], information.get("mtime")]
