"""What would a crawler bring home from the small world's web? WARC files, and the truth about each of their pages.

All hosts end in `.example` and all addresses come from the blocks reserved for documentation (RFC 2606, RFC 5737), so
nothing here can name a real site or person. Dates and record ids come from the seed: the same files each time."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import json_lines
from hfllm.world import foreign, prose, words
from hfllm.world.documents import Document
from hfllm.world.pages import HTML_TYPE, XHTML_TYPE, Page, article, junk_page

if TYPE_CHECKING:
    from warcio.warcwriter import WARCWriter

CLEAN_HOSTS = ["town-news.example", "stories.example", "people.example", "river-walks.example", "school-notes.example"]
BLOCKED_HOSTS = ["casino-gold.example", "cheap-pills.example", "free-movies.example"]
FOREIGN_HOSTS = {"de": "nachrichten.example", "fr": "journal.example", "es": "periodico.example"}
# Chosen by us: the share of each kind of page; what is left over is clean.
SHARES = {"junk": 0.14, "blocked": 0.08, "exact_duplicate": 0.07, "near_duplicate": 0.07, "foreign": 0.10}
SHARES |= {"contaminated": 0.02}
SHORTEST_PROBLEM = 8  # words: what is looked for in a crawl must be long enough not to be there by chance
FIRST_DATE = datetime(2025, 1, 1, tzinfo=UTC)


def write_crawl(
    folder: Path, rng: random.Random, texts: list[Document], test_problems: list[str], *, pages: int, files: int
) -> dict[str, Any]:
    """Write `folder`/*.warc.gz and `folder`/truth.jsonl, one line a page."""
    folder.mkdir(parents=True, exist_ok=True)
    crawled = all_pages(rng, texts, test_problems, pages)
    truth = []
    for number in range(files):
        name = f"small-world-{number:03}.warc.gz"
        share = crawled[number::files]
        write_warc(folder / name, rng, share)
        truth += [page_truth(page, name) for page in share]
    json_lines.write(folder / "truth.jsonl", truth)
    return {"crawl_pages": len(crawled), "blocked_hosts": BLOCKED_HOSTS}


def all_pages(rng: random.Random, texts: list[Document], test_problems: list[str], count: int) -> list[Page]:
    """Clean pages first, for the duplicates are made from them; then in random order, as a crawl would find them."""
    of_kind = {kind: int(share * count) for kind, share in SHARES.items()}
    supply = iter(rng.sample([document["text"] for document in texts], len(texts)))
    clean = [clean_page(rng, number, supply) for number in range(count - sum(of_kind.values()) - 1)]
    pages = [*clean, broken_page(clean[0])]
    pages += [junk_page(rng, f"https://{rng.choice(CLEAN_HOSTS)}/junk/{i}") for i in range(of_kind["junk"])]
    pages += [blocked_page(rng, i) for i in range(of_kind["blocked"])]
    pages += [exact_duplicate(rng, i, page) for i, page in enumerate(rng.sample(clean, of_kind["exact_duplicate"]))]
    pages += [near_duplicate(rng, i, page) for i, page in enumerate(rng.sample(clean, of_kind["near_duplicate"]))]
    pages += [foreign_page(rng, i) for i in range(of_kind["foreign"])]
    long = [problem for problem in test_problems if len(problem.split()) > SHORTEST_PROBLEM]
    pages += [contaminated_page(rng, i, rng.choice(long)) for i in range(of_kind["contaminated"])]
    rng.shuffle(pages)
    return pages


def page_with(rng: random.Random, host: str, path: str, kind: str, paragraphs: list[str], **truth: Any) -> Page:
    title = paragraphs[0].split(".")[0]
    body = article(rng, host, title, paragraphs, truth.get("language", "en")).encode()
    return Page(f"https://www.{host}/{path}", kind, body, "\n\n".join(paragraphs), **truth)


def clean_page(rng: random.Random, number: int, supply: Any) -> Page:
    """A new story, six documents of the small world, another story; one page in ten with addresses of people."""
    documents = [next(supply, None) or prose.story(rng) for _ in range(6)]
    addresses = personal_data(rng) if rng.random() < 0.1 else []
    contact = [f"Write to {addresses[0]} if you know more. This was sent from {addresses[1]}."] if addresses else []
    return page_with(
        rng,
        rng.choice(CLEAN_HOSTS),
        f"page/{number}",
        "clean",
        [prose.story(rng), *documents, *contact, prose.story(rng)],
        personal_data=addresses,
        content_type=XHTML_TYPE if rng.random() < 0.08 else HTML_TYPE,
        names_payload_type=rng.random() > 0.1,
    )


def personal_data(rng: random.Random) -> list[str]:
    """An e-mail address and an IP address, both reserved for documentation."""
    name, host = rng.choice(words.FIRST_NAMES).lower(), rng.choice(CLEAN_HOSTS)
    block = rng.choice(["192.0.2", "198.51.100", "203.0.113"])
    return [f"{name}.{words.invented_word(rng)}@{host}", f"{block}.{rng.randint(1, 254)}"]


def blocked_page(rng: random.Random, number: int) -> Page:
    """Good text on a bad host: only the list of hosts can tell."""
    host = rng.choice(BLOCKED_HOSTS)
    return page_with(rng, host, f"win/{number}", "blocked", [prose.story(rng) for _ in range(5)])


def exact_duplicate(rng: random.Random, number: int, page: Page) -> Page:
    """The same text on another site, inside other furniture."""
    paragraphs = page.text.split("\n\n")
    truth = {"duplicate_of": page.url, "personal_data": page.personal_data}
    return page_with(rng, "mirror.example", f"copy/{number}", "exact_duplicate", paragraphs, **truth)


def near_duplicate(rng: random.Random, number: int, page: Page) -> Page:
    """The same text with a sentence of the editor before it and one word of it changed."""
    paragraphs = page.text.split("\n\n")
    paragraphs[-1] = paragraphs[-1].replace("friends", "good friends").replace("again", "once again")
    paragraphs.append(f"{rng.choice(words.FIRST_NAMES)} read this for you at the {rng.choice(words.PLACES)}.")
    truth = {"duplicate_of": page.url, "personal_data": page.personal_data}
    return page_with(rng, "digest.example", f"read/{number}", "near_duplicate", paragraphs, **truth)


def foreign_page(rng: random.Random, number: int) -> Page:
    language, host = rng.choice(list(FOREIGN_HOSTS.items()))
    paragraphs = [foreign.paragraph(rng, language) for _ in range(5)]
    return page_with(rng, host, f"text/{number}", "foreign", paragraphs, language=language)


def contaminated_page(rng: random.Random, number: int, problem: str) -> Page:
    """Somebody has put a problem of the test set on the web, between two stories."""
    paragraphs = [prose.story(rng), prose.story(rng), f"Our homework for today. {problem}", prose.story(rng)]
    return page_with(
        rng, "school-notes.example", f"homework/{number}", "contaminated", paragraphs, test_problem=problem
    )


def broken_page(page: Page) -> Page:
    """Bytes that are not the UTF-8 which the header promises."""
    body = page.body.replace(b"<p>", "<p>Café, naïve, déjà vu. ".encode("latin-1"), 1)
    return Page("https://www.old-site.example/broken", "broken_encoding", body, page.text, duplicate_of=page.url)


def page_truth(page: Page, file_name: str) -> dict[str, Any]:
    return {
        "url": page.url,
        "file": file_name,
        "kind": page.kind,
        "language": page.language,
        "duplicate_of": page.duplicate_of,
        "personal_data": page.personal_data,
        "test_problem": page.test_problem,
        "content_type": page.content_type,
        "text": page.text,
    }


def write_warc(path: Path, rng: random.Random, pages: list[Page]) -> None:
    """WARC/1.0, a gzip member a record; `pages` in order, one second apart."""
    from warcio.warcwriter import WARCWriter

    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        information = b"software: hfllm small world\r\nformat: WARC File Format 1.0\r\n"
        write_record(writer, "warcinfo", None, BytesIO(information), record_headers(rng, 0))
        for second, page in enumerate(pages, start=1):
            headers = record_headers(rng, second)
            if page.names_payload_type:
                headers["WARC-Identified-Payload-Type"] = page.content_type.split(";")[0]
            write_record(writer, "response", page, BytesIO(page.body), headers)


def record_headers(rng: random.Random, second: int) -> dict[str, str]:
    date = FIRST_DATE + timedelta(seconds=second)
    identity = uuid.UUID(int=rng.getrandbits(128), version=4)
    return {"WARC-Record-ID": f"<urn:uuid:{identity}>", "WARC-Date": date.strftime("%Y-%m-%dT%H:%M:%SZ")}


def write_record(
    writer: WARCWriter, record_type: str, page: Page | None, payload: BytesIO, headers: dict[str, str]
) -> None:
    from warcio.statusandheaders import StatusAndHeaders

    length = len(payload.getbuffer())
    http_headers = None
    if page is not None:
        fields = [("Content-Type", page.content_type), ("Content-Length", str(length))]
        http_headers = StatusAndHeaders(page.status, fields, protocol="HTTP/1.1")
    record = writer.create_warc_record(
        page.url if page else "",
        record_type,
        payload=payload,
        length=length,
        warc_headers_dict=headers,
        http_headers=http_headers,
    )
    writer.write_record(record)
