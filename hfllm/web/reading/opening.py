"""How is an input file opened? Local or remote by its path, packed or not by its first bytes.

Gzip and Zstandard are unpacked here, and not by their libraries' file objects, because those end silently (or lose the
last records) where a file was cut off."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from hfllm.errors import UserMistake

GZIP, ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
BUFFER_BYTES = 2**17
MAX_BYTES = 20 * 2**20  # of one record, unpacked; chosen by us: Common Crawl itself cuts its pages at 1 to 5 MiB
# Little at a time, for it bounds what a packing bomb can take: gzip packs at most 1,032 to 1, Zstandard 30,000 to 1.
GZIP_BYTES, ZSTANDARD_BYTES = 2**14, 2**12


class BrokenFileError(Exception):
    """The file cannot be read any further: what is wrong with it, in a few words."""


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The bytes of the file as they lie there; `path` is one of fsspec's: local, s3://, https://."""
    import fsspec

    try:
        file = fsspec.open(path, "rb", expand=False).open()
    except FileNotFoundError as error:
        raise UserMistake(f"{path}: no such file") from error
    except (ImportError, ValueError) as error:  # a protocol without its package, or one that nobody knows
        raise UserMistake(f"{path}: {error}") from error
    with file:
        yield file


@contextmanager
def unpacked(path: str) -> Iterator[io.BufferedReader[Any]]:
    """What the file holds. Suffixes lie too often to be asked: a server may have unpacked a .gz on its way."""
    with opened(path) as file, io.BufferedReader(cast(io.RawIOBase, file), BUFFER_BYTES) as packed:
        start = packed.peek(4)[:4]
        if start.startswith(GZIP):
            yield io.BufferedReader(Unpacked(packed, "gzip", GZIP_BYTES, gzip_member, zlib.error), BUFFER_BYTES)
        elif start == ZSTANDARD:
            yield io.BufferedReader(zstandard_reader(packed, path), BUFFER_BYTES)
        else:
            yield packed


def gzip_member() -> Any:
    return zlib.decompressobj(16 + zlib.MAX_WBITS)


def zstandard_reader(packed: BinaryIO, path: str) -> Unpacked:
    try:
        import zstandard
    except ImportError as error:
        raise UserMistake(f"{path}: packed by Zstandard, which needs:   pip install zstandard") from error

    def frame() -> Any:
        return zstandard.ZstdDecompressor().decompressobj()

    return Unpacked(packed, "Zstandard", ZSTANDARD_BYTES, frame, zstandard.ZstdError)


class Unpacked(io.RawIOBase):
    """What packed members (gzip) or frames (Zstandard), one behind the other, hold."""

    def __init__(
        self,
        packed: BinaryIO,
        packing: str,
        piece_bytes: int,
        new_member: Callable[[], Any],
        damage: type[Exception],
    ) -> None:
        self.packed, self.packing, self.piece_bytes = packed, packing, piece_bytes
        self.new_member, self.damage = new_member, damage
        self.member: Any = None  # None between two members
        self.left_over = b""  # read, but behind the end of its member
        self.ready = memoryview(b"")
        self.given_bytes = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.given_bytes

    def readinto(self, target: Any) -> int:
        while not self.ready:
            piece = self.left_over or self.packed.read(self.piece_bytes)
            self.left_over = b""
            if not piece and self.member:
                raise BrokenFileError(f"the file ends in the middle of its {self.packing} data: it was cut off")
            if not piece:
                return 0
            self.ready = memoryview(self.unpack(piece))
        count = min(len(target), len(self.ready))
        target[:count] = self.ready[:count]
        self.ready = self.ready[count:]
        self.given_bytes += count
        return count

    def unpack(self, piece: bytes) -> bytes:
        if self.member is None:
            piece = piece.lstrip(b"\0")  # some writers fill up their last block
            if not piece:
                return b""
            self.member = self.new_member()
        try:
            data: bytes = self.member.decompress(piece)
        except self.damage as error:
            end = self.packed.tell()
            raise BrokenFileError(
                f"damaged {self.packing} data between byte {end - len(piece):,} and {end:,} of the file ({error})"
            ) from error
        if self.member.eof:
            self.left_over, self.member = self.member.unused_data, None
        return data
