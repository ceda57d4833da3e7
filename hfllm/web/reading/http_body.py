"""What did HTTP do to the body of an answer on its way? It undoes chunks, gzip, deflate, as tolerantly as browsers.

Nothing grows beyond MAX_BYTES and a little, whatever a body unpacks to."""

from __future__ import annotations

import re
import zlib
from io import BytesIO

from warcio.statusandheaders import StatusAndHeaders, StatusAndHeadersParser

from hfllm.web.reading.opening import MAX_BYTES

PARSER = StatusAndHeadersParser([], verify=False)
PIECE_BYTES = 2**12  # small: where packed data are damaged, the piece is lost
HTTP_START = re.compile(rb"HTTP\w{0,8}/\d", re.IGNORECASE)
CHUNK_SIZE = re.compile(rb"(?:\r?\n)?([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def split_http(data: bytes) -> tuple[StatusAndHeaders | None, bytes]:
    """The HTTP head and the body; no head where the record has none, as `resource` records."""
    if not HTTP_START.match(data):
        return None, data
    stream = BytesIO(data)
    return PARSER.parse(stream), stream.read()


def foreign_coding(http: StatusAndHeaders, body: bytes) -> str | None:
    """The coding that cannot be undone here. Many crawlers keep the header and undo the coding: then it is none."""
    foreign = {"br", "zstd", "compress"}.intersection(codings(http))
    return min(foreign) if foreign and CONTROLS.search(body[:1024]) else None


def codings(http: StatusAndHeaders) -> list[str]:
    return [coding.strip() for coding in http.get_header("Content-Encoding", "").lower().split(",")]


def content(http: StatusAndHeaders, body: bytes) -> bytes:
    if "chunked" in http.get_header("Transfer-Encoding", "").lower():
        body = dechunked(body)
    for coding in reversed(codings(http)):
        match coding:
            case "gzip" | "x-gzip":
                body = inflated(body, zlib.MAX_WBITS + 16)
            case "deflate":  # with its header as the standard wants it, or without as some servers send it
                unpacked = inflated(body, zlib.MAX_WBITS)
                body = inflated(body, -zlib.MAX_WBITS) if unpacked is body else unpacked
            case _:  # often nonsense, such as utf-8
                pass
    return body


def dechunked(body: bytes) -> bytes:
    """A body in no chunks stays as it is, and so does what follows the last sound chunk."""
    parts: list[bytes] = []
    place = 0
    while found := CHUNK_SIZE.match(body, place):
        size, start = int(found[1], 16), found.end()
        if size == 0:
            return b"".join(parts)
        parts.append(body[start : start + size])
        place = start + size
    return b"".join([*parts, body[place:]])


def inflated(body: bytes, window_bits: int) -> bytes:
    """What comes before damaged data is kept; a body that is not packed at all is given back itself."""
    unpacker, unpacked = zlib.decompressobj(window_bits), bytearray()
    for start in range(0, len(body), PIECE_BYTES):
        try:
            unpacked += unpacker.decompress(body[start : start + PIECE_BYTES], MAX_BYTES + 1 - len(unpacked))
        except zlib.error:
            break
        if len(unpacked) > MAX_BYTES:
            break
    return bytes(unpacked) or body
