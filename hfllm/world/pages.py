"""What does a page of the crawl look like? Text inside the furniture of a web site, or junk without text."""

from __future__ import annotations

import html
import random
from dataclasses import dataclass, field

from hfllm.world import words

HTML_TYPE = "text/html; charset=utf-8"
XHTML_TYPE = "application/xhtml+xml; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """One answer of a web server, and the truth about it.

    `kind` is clean, junk, blocked, exact_duplicate, near_duplicate, foreign, contaminated or broken_encoding; `text` is
    what an extractor should find, paragraphs joined by empty lines, and is empty for junk; `personal_data` are the
    e-mail and IP addresses in it, `test_problem` is the problem of the test set that it gives away."""

    url: str
    kind: str
    body: bytes
    text: str = ""
    language: str = "en"
    duplicate_of: str | None = None
    personal_data: list[str] = field(default_factory=list)
    test_problem: str | None = None
    status: str = "200 OK"
    content_type: str = HTML_TYPE
    names_payload_type: bool = True


MENU = ["Home", "News", "Weather", "Sports", "Shop", "About us", "Contact", "Log in"]
TEASERS = ["Ten things to do this weekend", "Photos of the week", "Most read today", "Win a trip", "New in our shop"]
STYLE = "body { margin: 0 } nav li { display: inline } .cookie { position: fixed }"
SCRIPT = "window.visits = (window.visits || 0) + 1;"


def article(rng: random.Random, host: str, title: str, paragraphs: list[str], language: str = "en") -> str:
    """The text between menu, cookie notice, teasers and footer; valid as HTML 5 and as XHTML alike."""
    menu = "".join(f'<li><a href="/{entry.lower().replace(" ", "-")}">{entry}</a></li>' for entry in MENU)
    teasers = "".join(f'<li><a href="/{rng.randint(100, 999)}">{entry}</a></li>' for entry in rng.sample(TEASERS, 3))
    return f"""<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="{language}">
<head><meta charset="utf-8" /><title>{html.escape(title)} - {host}</title>
<style>{STYLE}</style><script>{SCRIPT}</script></head>
<body>
<div class="cookie">We use cookies. <a href="/accept">Accept all</a></div>
<nav><ul>{menu}</ul></nav>
<main><article>
<h1>{html.escape(title)}</h1>
{paragraphs_as_html(paragraphs)}
</article></main>
<aside><h2>You may also like</h2><ul>{teasers}</ul></aside>
<footer><p>Copyright {host}. All rights reserved. <a href="/terms">Terms of use</a></p></footer>
</body>
</html>
"""


def paragraphs_as_html(paragraphs: list[str]) -> str:
    escaped = [html.escape(paragraph, quote=False).replace("\n", "<br />\n") for paragraph in paragraphs]
    return "\n".join(f"<p>{paragraph}</p>" for paragraph in escaped)


def bare(title: str, content: str) -> bytes:
    """A page with nothing around its content."""
    return f"<html><head><title>{title}</title></head><body>{content}</body></html>".encode()


def junk_page(rng: random.Random, url: str) -> Page:
    """One of the ways in which a page holds no text."""
    name = rng.choice(["keywords", "menu", "lorem", "buy_now", "symbols", "short", "missing", "empty", "image", "json"])
    match name:
        case "missing":
            body = bare("Not found", "<h1>404</h1><p>The page that you look for does not exist.</p>")
            return Page(url, "junk", body, status="404 Not Found")
        case "empty":
            return Page(url, "junk", b"")
        case "image":
            return Page(url, "junk", b"\x89PNG\r\n\x1a\n" + rng.randbytes(60), content_type="image/png")
        case "json":
            return Page(url, "junk", b'{"status": "ok", "items": []}', content_type="application/json")
        case _:
            return Page(url, "junk", bare(name, f"<div>{junk_content(rng, name)}</div>"))


LOREM = "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut".split()  # noqa: SIM905


def junk_content(rng: random.Random, name: str) -> str:
    match name:
        case "keywords":
            return "<p>" + " ".join(f"cheap {rng.choice(words.GOODS)} online" for _ in range(80)) + "</p>"
        case "menu":
            return "<ul>" + "".join(f"<li><a href='/{i}'>{rng.choice(MENU)}</a></li>" for i in range(40)) + "</ul>"
        case "lorem":
            return "".join(f"<p>{' '.join(rng.choices(LOREM, k=30)).capitalize()}.</p>" for _ in range(4))
        case "buy_now":
            return "<p>Buy now and save money today!</p>" * 30
        case "symbols":
            return "<p>" + " ".join(rng.choices(["###", "...", "~~~", "$$$", "|||", "{}{}"], k=120)) + "</p>"
        case _:
            return f"<p>{rng.choice(['Under construction.', 'Hello world!', 'Coming soon.'])}</p>"
