"""Which records of a web archive are pages? WARC, WET (its conversion records) and ARC files.

HTML is what the HTTP header calls so; without that, what the crawler found it to be, or what begins like it. Only the
parsers of warcio are used, not its ArchiveIterator: that one ends silently in a file that was cut off, refuses a file
packed as one gzip member, stops at a wrong Content-Length, and gives the records of an ARC file new ids each time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import TYPE_CHECKING

from warcio.limitreader import LimitReader
from warcio.statusandheaders import StatusAndHeaders

from hfllm.web.reading.decoding import decode
from hfllm.web.reading.http_body import PARSER, content, foreign_coding, split_http
from hfllm.web.reading.opening import MAX_BYTES, BrokenFileError

if TYPE_CHECKING:
    from datatrove.data import Document

    from hfllm.web.reading.records import Tally

MAX_HEAD_BYTES = 2**20
SNIFFED_BYTES = 2**14

WARC_START = re.compile(rb"WARC/\d")
# http://a.example/ 192.0.2.1 20140216050221 text/html 1591
ARC_START = re.compile(rb"[A-Za-z][\w+.-]*:.* \S+ \d+ \S+ \S+\s*$")
ARC_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d).*")

HTML_TYPES = {"text/html", "application/xhtml+xml"}
# Words by which servers and crawlers say that they do not know (WHATWG MIME sniffing, section 5)
NO_TYPES = {"unknown/unknown", "application/unknown", "*/*", "application/http"}
MEDIA_TYPE = re.compile(r"\s*([\w!#$&^.+*-]{1,60}/[\w!#$&^.+*-]{1,60})\s*(?:[;,]|$)", re.ASCII)
CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s;"',]+)""", re.IGNORECASE)
LIKE_HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*+"
    rb"<(?:!doctype\s+html|html|head|body|title|meta|link|script|style|iframe|div|table|font|center|h1|br|p|b|a)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
# Pictures, PDF, archives, fonts and films that servers call text/html
BINARY = re.compile(
    rb"%PDF-|\x89PNG|GIF8[79]a|\xff\xd8\xff|PK\x03\x04|\x1f\x8b\x08|RIFF....WEBP|wOF[F2]|....ftyp", re.DOTALL
)


class NotAPage(Exception):  # noqa: N818 - no error: most records of an archive are none
    """The reason why a record is no page, as it is counted."""


@dataclass
class Record:
    kind: str  # the WARC-Type
    headers: StatusAndHeaders
    body: LimitReader
    offset: int  # where it begins, in the unpacked file

    def read(self) -> bytes:
        """All of the record, or as much of it as a page may have."""
        wanted = min(self.body.limit, MAX_BYTES + MAX_HEAD_BYTES)
        data: bytes = self.body.read(wanted)
        if len(data) < wanted:
            raise BrokenFileError(
                f"the last one is cut off, it has {len(data):,} of {self.body.limit + len(data):,} bytes"
            )
        return data


def pages(file: BufferedReader, path: str, tally: Tally) -> Iterator[Document]:
    from datatrove.data import Document

    for record in records(file, path, tally):
        try:
            text, is_html = page(record)
        except NotAPage as reason:
            tally.skip(str(reason))
            continue
        except BrokenFileError:
            tally.skip("cut off")
            raise
        metadata = {"url": url(record), "date": record.headers.get_header("WARC-Date", ""), "file": path}
        record_id = record.headers.get_header("WARC-Record-ID") or f"{path}#{record.offset}"
        yield tally.keep(Document(text, record_id, metadata={**metadata, "html": is_html}))


# --- from the file to its records


def records(file: BufferedReader, path: str, tally: Tally) -> Iterator[Record]:
    """All records; who asks for the next one has read of this one what he wanted."""
    line = first_line(file)
    start = WARC_START if WARC_START.match(line) else ARC_START
    while line:
        offset = file.tell() - len(line)
        headers = warc_headers(file, line) if start is WARC_START else arc_headers(line)
        length = headers.get_header("Content-Length", "")
        is_sound = length.isascii() and length.isdigit()
        record = Record(
            headers.get_header("WARC-Type", ""), headers, LimitReader(file, int(length[:18]) if is_sound else 0), offset
        )
        yield record
        if not is_sound:
            tally.note(path, f"the last one has no valid length (it says {length[:40]!r})")
        read_to_end(record.body)
        line = next_line(file, start, path, tally)


def first_line(file: BufferedReader) -> bytes:
    line = b"\n"
    while line and not line.strip():
        line = file.readline(MAX_HEAD_BYTES)
    if not line:
        raise BrokenFileError("the file is empty")
    if not WARC_START.match(line) and not ARC_START.match(line):
        raise BrokenFileError(f"this is no WARC or ARC file, it begins with {line[:40]!r}")
    return line


def next_line(file: BufferedReader, start: re.Pattern[bytes], path: str, tally: Tally) -> bytes:
    """The line with which the next record starts, empty at the end of the file; what lies between is reported."""
    skipped = 0
    while line := file.readline(MAX_HEAD_BYTES):
        if start.match(line):
            break
        skipped += len(line) if line.strip() else 0
    if skipped:
        tally.note(path, f"{skipped:,} bytes that belong to no record were skipped")
    return line


def warc_headers(file: BufferedReader, line: bytes) -> StatusAndHeaders:
    head = LimitReader(file, MAX_HEAD_BYTES)
    headers = PARSER.parse(head, line)
    if not head.limit:
        raise BrokenFileError(f"the headers of the next one are longer than {MAX_HEAD_BYTES:,} bytes")
    return headers


def arc_headers(line: bytes) -> StatusAndHeaders:
    """The headers that a WARC file would have: an ARC record has one line, of five words."""
    address, _, date, content_type, length = line.decode("utf-8", "replace").strip().rsplit(" ", 4)
    headers = [
        ("WARC-Type", "warcinfo" if address.startswith("filedesc:") else "response"),
        ("WARC-Target-URI", address),
        ("WARC-Date", ARC_DATE.sub(r"\1-\2-\3T\4:\5:\6Z", date)),
        ("Content-Type", content_type),
        ("Content-Length", length),
    ]
    return StatusAndHeaders("", headers)


def read_to_end(body: LimitReader) -> None:
    while body.limit:
        if not body.read(2**16):
            raise BrokenFileError(f"the last one is cut off, {body.limit:,} bytes of it are missing")


def url(record: Record) -> str:
    """Without the angle brackets of an old Wget, and with its spaces as a browser sends them."""
    address = record.headers.get_header("WARC-Target-URI", "").strip()
    return re.sub(r"\s", "%20", address.removeprefix("<").removesuffix(">").strip())


# --- from a record to its text


def page(record: Record) -> tuple[str, bool]:
    """The text of a page, and whether it is HTML; raises `NotAPage` for all others."""
    match record.kind:
        case "response" | "resource":
            return html_page(record), True
        case "conversion":
            return converted_page(record)
        case "warcinfo" | "request" | "metadata" | "revisit" | "continuation":
            raise NotAPage(record.kind)
        case _:
            raise NotAPage(f"unknown WARC-Type: {record.kind[:40] or 'none'}")


def html_page(record: Record) -> str:
    http, body = split_http(record.read())
    if http and (status := http.get_statuscode()) != "200":
        raise NotAPage(f"status {status}" if re.fullmatch("[1-9][0-9][0-9]", status) else "no HTTP status")
    header = (http or record.headers).get_header("Content-Type")
    found = media_type(header) or media_type(record.headers.get_header("WARC-Identified-Payload-Type"))
    if found and found not in HTML_TYPES:
        raise NotAPage(f"not HTML: {found}")
    if http and (coding := foreign_coding(http, body)):
        raise NotAPage(f"Content-Encoding: {coding}")
    body = content(http, body) if http else body
    check_size(body)
    if not found and not LIKE_HTML.match(body[:SNIFFED_BYTES]):
        raise NotAPage("not HTML: no Content-Type, and does not begin like HTML")
    if BINARY.match(body):
        raise NotAPage(f"not HTML: binary data called {found}")
    return decode(body, charset(header))


def converted_page(record: Record) -> tuple[str, bool]:
    """Of WET files: text that was extracted already."""
    header = record.headers.get_header("Content-Type")
    found = media_type(header) or "text/plain"
    if found != "text/plain" and found not in HTML_TYPES:
        raise NotAPage(f"neither text nor HTML: {found}")
    body = record.read()
    check_size(body)
    return decode(body, charset(header)), found in HTML_TYPES


def media_type(header: str | None) -> str | None:
    """`media_type("Text/HTML; charset=utf-8") == "text/html"`; None where the header says nothing."""
    found = MEDIA_TYPE.match(header or "")
    name = found[1].lower() if found else None
    return None if name in NO_TYPES else name


def charset(header: str | None) -> str | None:
    found = CHARSET.search(header or "")
    return found[1] if found else None


def check_size(body: bytes) -> None:
    if len(body) > MAX_BYTES:
        raise NotAPage("too large")
    if not body.strip(b"\0\t\n\f\r "):
        raise NotAPage("empty")
