"""Reading input files of the stage `data`: each record is a document or counted, whatever is wrong with the file."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from hfllm.errors import UserMistake
from hfllm.web.reading import decoding, http_body, warc
from hfllm.web.reading.opening import MAX_BYTES
from hfllm.web.reading.records import Tally, read

if TYPE_CHECKING:
    from datatrove.data import Document

HTML = "text/html; charset=utf-8"
PAGE = b"<html><body><p>Hello</p></body></html>"


def all_of(path: Path | str, strict: bool = False, **columns: str) -> tuple[list[Document], Tally]:
    tally = Tally()
    documents = list(read(str(path), tally, columns=columns, strict=strict))
    assert tally.records == tally.documents + sum(tally.not_pages.values())
    assert tally.documents == len(documents)
    return documents, tally


class Crawl:
    """A WARC file in the making: `crawl.page(PAGE)`."""

    def __init__(self, *, packed: bool = True, version: str = "WARC/1.0") -> None:
        self.file = io.BytesIO()
        self.writer = WARCWriter(self.file, gzip=packed, warc_version=version)
        self.count = 0

    def record(self, kind: str, body: bytes, http: StatusAndHeaders | None = None, **headers: str) -> None:
        self.count += 1
        address = headers.pop("url", f"http://town.example/{self.count}")
        fields = {"WARC-Date": "2025-01-02T03:04:05Z"} | {name.replace("_", "-"): headers[name] for name in headers}
        content_type = fields.pop("Content-Type", "")
        record = self.writer.create_warc_record(
            address, kind, io.BytesIO(body), http_headers=http, warc_headers_dict=fields, warc_content_type=content_type
        )
        self.writer.write_record(record)

    def page(
        self,
        body: bytes = PAGE,
        content_type: str | None = HTML,
        status: str = "200 OK",
        coding: str = "",
        **headers: str,
    ) -> None:
        fields = [("Content-Type", content_type)] if content_type else []
        fields += [("Content-Encoding", coding)] if coding else []
        self.record("response", body, StatusAndHeaders(status, fields, protocol="HTTP/1.1"), **headers)

    def save(self, path: Path) -> Path:
        path.write_bytes(self.file.getvalue())
        return path


def one_page(tmp_path: Path, *arguments: Any, **options: Any) -> tuple[list[Document], Tally]:
    crawl = Crawl()
    crawl.page(*arguments, **options)
    return all_of(crawl.save(tmp_path / "a.warc.gz"))


# --- what is a page


def test_other_records_are_counted_by_reason(tmp_path: Path) -> None:
    crawl = Crawl()
    crawl.writer.write_record(crawl.writer.create_warcinfo_record("a.warc.gz", {"software": "none"}))
    crawl.page()
    crawl.page(status="404 Not Found")
    crawl.page(status="")
    crawl.page(b"\x89PNG", "image/png")
    crawl.page(b"just text", "text/plain")
    crawl.page(b" \r\n")
    crawl.page(b"%PDF-1.7", "text/html")
    crawl.record("request", b"", StatusAndHeaders("GET / HTTP/1.1", [], is_http_request=True))
    crawl.record("metadata", b"{}", Content_Type="application/json")
    crawl.record("revisit", b"", StatusAndHeaders("200 OK", [("Content-Type", HTML)], protocol="HTTP/1.1"))
    crawl.record("response", b"10 5 a.example", url="dns:a.example", Content_Type="text/dns")
    crawl.record("dream", b"?")
    documents, tally = all_of(crawl.save(tmp_path / "a.warc.gz"))
    assert [document.text for document in documents] == [PAGE.decode()]
    assert tally.broken is None
    assert tally.not_pages == {
        "warcinfo": 1,
        "status 404": 1,
        "no HTTP status": 1,
        "not HTML: image/png": 1,
        "not HTML: text/plain": 1,
        "empty": 1,
        "not HTML: binary data called text/html": 1,
        "request": 1,
        "metadata": 1,
        "revisit": 1,
        "not HTML: text/dns": 1,
        "unknown WARC-Type: dream": 1,
    }


@pytest.mark.parametrize(
    ("http_type", "payload_type", "body", "is_page"),
    [
        ("application/xhtml+xml", None, PAGE, True),
        ("TEXT/HTML;charset=utf-8", None, PAGE, True),
        ("text/html", "application/octet-stream", PAGE, True),  # HTTP is believed first
        ("text/plain", "text/html", PAGE, False),
        (None, "text/html", b"Hello", True),
        (None, "application/xhtml+xml", b"Hello", True),
        (None, "image/gif", PAGE, False),
        (None, None, PAGE, True),
        ("*/*", None, PAGE, True),
        ("html", None, b"\xef\xbb\xbf\n<!-- a --><!-- b -->\n<!DOCTYPE html>", True),
        (None, None, b"<?xml version='1.0'?>\n<html xmlns='http://www.w3.org/1999/xhtml'/>", True),
        (None, None, b"<?xml version='1.0'?>\n<rss/>", False),
        (None, None, b"a plain text", False),
    ],
)
def test_what_is_html(
    tmp_path: Path, http_type: str | None, payload_type: str | None, body: bytes, is_page: bool
) -> None:
    headers = {"WARC_Identified_Payload_Type": payload_type} if payload_type else {}
    documents, _ = one_page(tmp_path, body, http_type, **headers)
    assert len(documents) == is_page


def test_sniffing_many_comments_takes_no_time() -> None:
    assert not warc.LIKE_HTML.match(b"<!-- -->" * 2000 + b"text")


def test_metadata_and_clean_address(tmp_path: Path) -> None:
    crawl = Crawl()
    crawl.page(url="<http://town.example/a b>", WARC_Record_ID="<urn:uuid:1>")
    path = crawl.save(tmp_path / "a.warc.gz")
    documents, _ = all_of(path)
    assert documents[0].id == "<urn:uuid:1>"
    assert documents[0].metadata == {
        "url": "http://town.example/a%20b",
        "date": "2025-01-02T03:04:05Z",
        "file": str(path),
        "html": True,
    }


def test_resources_and_converted_records(tmp_path: Path) -> None:
    crawl = Crawl(version="WARC/1.1")
    crawl.record("resource", PAGE, Content_Type="text/html")
    crawl.record("resource", b"{}", Content_Type="application/json")
    crawl.record("conversion", "Grüße\n".encode(), Content_Type="text/plain")
    crawl.record("conversion", b"x", Content_Type="image/png")
    documents, tally = all_of(crawl.save(tmp_path / "a.warc.wet.gz"))
    assert [(document.text, document.metadata["html"]) for document in documents] == [
        (PAGE.decode(), True),
        ("Grüße\n", False),
    ]
    assert tally.not_pages == {"not HTML: application/json": 1, "neither text nor HTML: image/png": 1}


ARC = b"""filedesc://a.arc 192.0.2.1 20140216050221 text/plain 10
1 0 Town


http://town.example/a b 192.0.2.1 20140216050222 text/html 60
HTTP/1.1 200 OK\r
Content-Type: text/html\r
\r
<p>12345678</p>


http://town.example/c 192.0.2.1 20140216050223 text/html 15
<p>12345678</p>
"""


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_arc_files_have_the_same_ids_each_time(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.arc.gz"
    path.write_bytes(
        pack(
            ARC.replace(b" 60\n", b" %d\n" % len(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>12345678</p>"))
        )
    )
    documents, tally = all_of(path)
    assert tally.broken is None
    assert [document.text for document in documents] == ["<p>12345678</p>"] * 2
    assert [document.id for document in documents] == [document.id for document in all_of(path)[0]]
    assert documents[0].id == f"{path}#{ARC.index(b'http://town.example/a')}"
    assert documents[0].metadata["url"] == "http://town.example/a%20b"
    assert documents[0].metadata["date"] == "2014-02-16T05:02:22Z"
    assert tally.not_pages == {"warcinfo": 1}


# --- what HTTP did to the body


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("GZIP", PAGE),  # promised, and not done
        ("deflate", zlib.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)[2:-4]),
        ("deflate, gzip", gzip.compress(zlib.compress(PAGE))),
        ("br", PAGE),
        ("utf-8", PAGE),
    ],
)
def test_content_encodings(tmp_path: Path, coding: str, packed: bytes) -> None:
    documents, _ = one_page(tmp_path, packed, coding=coding)
    assert [document.text for document in documents] == [PAGE.decode()]


def test_brotli_is_counted(tmp_path: Path) -> None:
    assert one_page(tmp_path, b"\x0b\x02\x80Hello\x03", coding="br")[1].not_pages == {"Content-Encoding: br": 1}


def test_cut_off_gzip_gives_what_is_there() -> None:
    text = b"".join(b"%d " % number for number in range(20_000))
    start = http_body.inflated(gzip.compress(text)[:-1000], 31)
    assert text.startswith(start)
    assert len(start) > len(text) // 2


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"5\r\nHello\r\n6;x=1\r\n world\r\n0\r\n\r\n", b"Hello world"),
        (b"5\nHello\n0\n\n", b"Hello"),
        (b"5\r\nHello\r\n0\r\nExpires: now\r\n\r\n", b"Hello"),
        (b"5\r\nHello\r\n6\r\n wor", b"Hello wor"),  # cut off
        (b"<p>not chunked", b"<p>not chunked"),
        (b"5\r\nHello world", b"Hello world"),  # a size too small
    ],
)
def test_chunks(body: bytes, text: bytes) -> None:
    assert http_body.dechunked(body) == text


def test_too_large_pages_and_packing_bombs(tmp_path: Path) -> None:
    crawl = Crawl()
    crawl.page(gzip.compress(b"a" * (MAX_BYTES + 1)), coding="gzip")
    crawl.page(b"a" * (MAX_BYTES + 1))
    crawl.page(b"a" * (MAX_BYTES + 2**22))
    crawl.page()
    documents, tally = all_of(crawl.save(tmp_path / "a.warc.gz"))
    assert tally.not_pages == {"too large": 3}
    assert len(documents) == 1


# --- characters


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        (b"caf\xe9 \x93x\x94", "ISO-8859-1", "café “x”"),  # what the standard reads for Latin-1
        ("café".encode(), None, "café"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "latin-1", "café"),  # a byte order mark is believed before the header
        ("\ufeffcafé".encode("utf-16-le"), "utf-8", "café"),
        ("\ufeffcafé".encode("utf-16-be"), None, "café"),
        (b"<meta charset=windows-1251>\xcf\xf0\xe8\xe2\xe5\xf2", None, "<meta charset=windows-1251>Привет"),
        (b"<META content='text/html; charset=koi8-r'>\xf0", None, "<META content='text/html; charset=koi8-r'>П"),
        (b"<!-- <meta charset=koi8-r> --><meta charset=latin1>\xe9", None, None),
        (b"<meta charset=koi8-r>\xe9", "latin1", "<meta charset=koi8-r>é"),  # the header before the page
        (b"<?xml version='1.0' encoding='iso-8859-1'?>\xe9", None, "<?xml version='1.0' encoding='iso-8859-1'?>é"),
        ("日本語".encode("cp932"), "x-sjis", "日本語"),
        ("①".encode("cp932"), "shift_jis", "①"),
        ("한국어".encode("cp949"), "ks_c_5601-1987", "한국어"),
        ("“中文”".encode("gb18030"), "GB2312", "“中文”"),
        ("ok \U0001f600".encode(), "no-such-charset", "ok \U0001f600"),
        ("zażółć".encode() + b"\xff", "utf-8", "zażółć\ufffd"),  # one bad byte makes no other encoding of it
        (b"It\x92s fine", "utf-8", "It’s fine"),  # promised, but nothing in it is UTF-8
        (b"It\x92s fine", None, "It’s fine"),
        (b"<p>plain</p>", "utf-16", "<p>plain</p>"),
        (b"<meta charset=utf-16>\xc3\xa9", None, "<meta charset=utf-16>é"),
        (b"a\0b\0", None, "ab"),
        ("Съешь же ещё этих мягких французских булок, да выпей чаю.".encode("cp1251"), None, "Съешь"),
        (b"x", "punycode", "x"),
    ],
)
def test_decoding(body: bytes, charset: str | None, text: str | None) -> None:
    decoded = decoding.decode(body, charset)
    assert decoded.startswith(text) if text else decoded.endswith("é")


@pytest.mark.parametrize("label", ["iso88591", "x-cp1252", " Latin1\n", "us-ascii", "iso_8859-1:1987", "cp819", "l1"])
def test_labels_of_the_standard(label: str) -> None:
    assert decoding.encoding_of(label) == "cp1252"


@pytest.mark.parametrize("label", ["", "zip", "rot13", "unicode_escape", "idna", "utf-7", "undefined", "a\0", "../x"])
def test_no_other_codec_is_ever_called(label: str) -> None:
    assert decoding.encoding_of(label) is None


def test_any_bytes_give_text_that_can_be_stored() -> None:
    for encoding in [None, *sorted(decoding.ENCODINGS)]:
        decoding.decode(bytes(range(256)) * 3, encoding).encode("utf-8")


# --- broken files


def five_pages(**options: Any) -> Crawl:
    crawl = Crawl(**options)
    for number in range(5):
        crawl.page(b"<p>%d</p>" % number + bytes(range(32, 127)) * number)
    return crawl


@pytest.mark.parametrize("packed", [True, False])
def test_a_cut_off_file_gives_what_comes_before(tmp_path: Path, packed: bool) -> None:
    data = five_pages(packed=packed).file.getvalue()
    path = tmp_path / "a.warc.gz"
    path.write_bytes(data)
    whole = [document.text for document in all_of(path)[0]]
    ends = {0}  # of records and of the gzip members that they are
    for size in range(len(data)):
        path.write_bytes(data[:size])
        documents, tally = all_of(path)
        assert [document.text for document in documents] == whole[: len(documents)]
        if tally.broken is None:
            ends.add(len(documents))
    assert ends == {0, 1, 2, 3, 4, 5} if not packed else {0, 1, 2, 3, 4}


def test_messages_of_broken_files_are_one_line(tmp_path: Path) -> None:
    data = five_pages().file.getvalue()
    path = tmp_path / "a.warc.gz"
    messages = {
        data[:-9]: "after 5 records: the file ends in the middle of its gzip data: it was cut off",
        data[:900] + b"#" * 40 + data[940:]: "damaged gzip data between byte",
        b"": "after 0 records: the file is empty",
        gzip.compress(b""): "after 0 records: the file is empty",
        b"\n\n<html>": "after 0 records: this is no WARC or ARC file, it begins with b'<html>'",
        data + b"rubbish behind": "damaged gzip data between byte",
    }
    for content, message in messages.items():
        path.write_bytes(content)
        _, tally = all_of(path)
        assert tally.broken
        assert tally.broken.startswith(f"{path}: after ")
        assert message in tally.broken
        assert "\n" not in tally.broken
        with pytest.raises(UserMistake, match="after"):
            all_of(path, strict=True)


def test_zeros_behind_the_last_member_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(five_pages().file.getvalue() + bytes(512))
    assert all_of(path)[1].broken is None


def test_packing_makes_no_difference(tmp_path: Path) -> None:
    plain = five_pages(packed=False).save(tmp_path / "plain.warc")
    texts = [document.text for document in all_of(plain)[0]]
    assert len(texts) == 5
    whole_file = tmp_path / "one.warc.gz"  # one gzip member around all records
    whole_file.write_bytes(gzip.compress(plain.read_bytes()))
    unpacked_by_server = plain.rename(tmp_path / "named.warc.gz")
    for path in (whole_file, unpacked_by_server, five_pages().save(tmp_path / "usual.warc.gz")):
        documents, tally = all_of(path)
        assert tally.broken is None
        assert [document.text for document in documents] == texts


@pytest.mark.parametrize("length", ["3", "-1", "many", ""])
def test_wrong_lengths_cost_one_record(tmp_path: Path, length: str) -> None:
    data = five_pages(packed=False).file.getvalue()
    second = data.index(b"WARC/1.0", 10)
    before, behind = data[:second], data[second:]
    start = behind.index(b"Content-Length: ", behind.index(b"WARC-Type"))
    line = behind[start : behind.index(b"\r\n", start) + 2]
    path = tmp_path / "a.warc"
    path.write_bytes(before + behind.replace(line, f"Content-Length: {length}\r\n".encode() if length else b"", 1))
    documents, tally = all_of(path)
    assert [document.text[:8] for document in documents] == ["<p>0</p>", "<p>2</p>", "<p>3</p>", "<p>4</p>"]
    assert tally.records == 5
    assert tally.broken
    assert "after 2 records" in tally.broken


def test_headers_without_end_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(gzip.compress(b"WARC/1.0\r\nX: " + b"x" * 2**22))
    _, tally = all_of(path)
    assert tally.broken
    assert "headers of the next one are longer" in tally.broken


# --- rows


def lines_file(path: Path, *rows: Any, pack: Callable[[bytes], bytes] = bytes) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(pack(b"\n".join(lines) + b"\n"))
    return path


def test_json_lines(tmp_path: Path) -> None:
    path = lines_file(
        tmp_path / "a.jsonl",
        {"text": "one", "id": 7, "url": "http://a.example", "date": "2025-01-01"},
        json.dumps({"text": "two\u2028\x85\x0bthree"}, ensure_ascii=False).encode(),
        b"",
        b"{",
        [1],
        {"text": " "},
        {"text": None},
        b'{"text": "\\ud83d and \\ud83d\\ude00\\u0000"}',
        b'{"text": "caf\xe9"}\r',
        b"[" * 200_000,
    )
    documents, tally = all_of(path)
    assert [document.text for document in documents] == ["one", "two\u2028\x85\x0bthree", "\ufffd and 😀", "caf\ufffd"]
    assert [document.id for document in documents] == ["7", "a.jsonl/1", "a.jsonl/6", "a.jsonl/7"]
    assert documents[0].metadata == {
        "url": "http://a.example",
        "date": "2025-01-01",
        "file": str(path),
        "html": False,
    }
    assert tally.not_pages == {"not JSON": 3, "no text": 2}
    assert tally.broken is None


def test_columns_of_other_names(tmp_path: Path) -> None:
    row = {"body": "x", "metadata": {"warc_url": "http://a.example", "deep": {"day": "2025"}}, "a.b": "key"}
    path = lines_file(tmp_path / "a.jsonl", row)
    (document,), _ = all_of(path, text="body", id="a.b", url="metadata.warc_url", date="metadata.deep.day")
    assert (document.text, document.id, document.metadata["url"]) == ("x", "key", "http://a.example")
    assert document.metadata["date"] == "2025"


@pytest.mark.parametrize(
    ("row", "url", "date"),
    [
        (
            {"url": "http://c4.example", "timestamp": "2019-04-25T12:57:54Z"},
            "http://c4.example",
            "2019-04-25T12:57:54Z",
        ),
        (
            {"created": "2019", "metadata": {"url": "d.example", "warc_url": "http://d.example"}},
            "http://d.example",
            "2019",
        ),
        ({"metadata": {"url": "http://t.example", "date": "2020"}}, "http://t.example", "2020"),
        ({"metadata": "?"}, "", ""),
    ],
)
def test_usual_layouts_need_no_columns(tmp_path: Path, row: dict[str, Any], url: str, date: str) -> None:
    (document,), _ = all_of(lines_file(tmp_path / "a.json.gz", {"text": "x", **row}, pack=gzip.compress))
    assert (document.metadata["url"], document.metadata["date"]) == (url, date)


def test_missing_column_names_those_there_are(tmp_path: Path) -> None:
    path = lines_file(tmp_path / "a.jsonl", {"body": "x", "meta": {"url": "y"}})
    with pytest.raises(UserMistake, match=r"no column 'text' for the text; it has: body, meta\.url"):
        all_of(path)
    with pytest.raises(UserMistake, match=r"no column 'meta\.link' for the url; it has: body, meta\.url"):
        all_of(path, text="body", url="meta.link")
    with pytest.raises(UserMistake, match="no such name: language"):
        all_of(path, language="lang")


def test_a_text_that_comes_late_is_found(tmp_path: Path) -> None:
    rows = [{"note": "x"}] * 99
    assert all_of(lines_file(tmp_path / "a.jsonl", *rows, {"text": "y"}))[1].not_pages == {"no text": 99}
    with pytest.raises(UserMistake, match="no column 'text'"):
        all_of(lines_file(tmp_path / "a.jsonl", *rows, {"note": "x"}, {"text": "y"}))


def test_json_arrays_are_explained(tmp_path: Path) -> None:
    _, tally = all_of(lines_file(tmp_path / "a.json", [{"text": "x"}]))
    assert tally.broken
    assert "one JSON array" in tally.broken


def test_long_lines_are_counted_once(tmp_path: Path) -> None:
    path = lines_file(tmp_path / "a.jsonl", {"text": "x" * 2 * MAX_BYTES}, {"text": "y"})
    documents, tally = all_of(path)
    assert tally.not_pages == {"too large": 1}
    assert [document.text for document in documents] == ["y"]


def test_cut_off_lines_of_both_packings(tmp_path: Path) -> None:
    zstandard = pytest.importorskip("zstandard")
    rows = [{"text": f"{number} {number * 7919}"} for number in range(20_000)]
    for suffix, pack in {"gz": gzip.compress, "zst": zstandard.compress}.items():
        path = lines_file(tmp_path / f"a.jsonl.{suffix}", *rows, pack=pack)
        assert all_of(path)[1].documents == 20_000
        path.write_bytes(path.read_bytes()[:-4000])
        documents, tally = all_of(path)
        assert 10_000 < len(documents) < 20_000
        assert documents[-1].text == f"{len(documents) - 1} {(len(documents) - 1) * 7919}"
        assert tally.broken
        assert "cut off" in tally.broken


def parquet_file(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def test_parquet(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": f"text {number}", "metadata": {"link": f"http://{number}.example", "other": 1}, "vector": [1.0]}
        for number in range(600)
    ]
    rows[1]["text"] = None
    path = parquet_file(tmp_path / "a.parquet", rows)
    documents, tally = all_of(path, url="metadata.link")
    assert (tally.records, tally.not_pages) == (600, {"no text": 1})
    assert documents[-1].id == "a.parquet/599"
    assert documents[-1].metadata["url"] == "http://599.example"


def test_parquet_dates(tmp_path: Path) -> None:
    path = parquet_file(tmp_path / "a.parquet", [{"text": "x", "timestamp": datetime(2025, 1, 2, 3, 4, 5)}])
    assert all_of(path)[0][0].metadata["date"] == "2025-01-02T03:04:05"


def test_broken_and_wrong_parquet(tmp_path: Path) -> None:
    path = parquet_file(tmp_path / "a.parquet", [{"body": "x" * 50, "meta": {"url": "y"}}])
    with pytest.raises(UserMistake, match=r"no column 'text' for the text; it has: body, meta\.url"):
        all_of(path)
    data = path.read_bytes()
    for content in (b"", data[:-20], b"PAR1" + bytes(len(data) - 8) + b"PAR1"):
        path.write_bytes(content)
        _, tally = all_of(path, text="body")
        assert tally.broken
        assert "after 0 records: damaged parquet" in tally.broken


# --- paths


def test_remote_paths(tmp_path: Path) -> None:
    import fsspec

    with fsspec.open("memory://crawl/a.warc.gz", "wb") as file:
        file.write(five_pages().file.getvalue())
    assert all_of("memory://crawl/a.warc.gz")[1].documents == 5


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("notes.txt", r"its name tells no format that can be read"),
        ("a.parquet.gz", r"its name tells no format"),
        ("missing.warc.gz", "no such file"),
        ("missing.parquet", "no such file"),
        ("nosuch://b/a.jsonl", "(?i)protocol"),
    ],
)
def test_wrong_paths_are_mistakes(path: str, message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        all_of(path)
