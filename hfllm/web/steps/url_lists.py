"""Drop pages of blocked hosts, blocked URLs, and URLs with banned words.

FineWeb's URL filter (arXiv 2406.17557, section 3.1; RefinedWeb, arXiv 2306.01116, section 3.1 and appendix G.1), with
datatrove's lists, which are those of the University of Toulouse (UT1). Other than datatrove, which takes its lists
literally, a listed host stands for all hosts below it, as its makers mean it, and a listed URL (they have no scheme)
for http and https, with www. and without.

The lists err: newspapers and LGBT news stand on them. `allow` takes such hosts off."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from hfllm.errors import UserMistake
from hfllm.web import cache as shared
from hfllm.web.step import Need, Scores, Step
from hfllm.web.text import url_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from datatrove.data import Document

NOT_LETTERS = re.compile(r"[^a-zA-Z0-9]+")
WORD_FILES = ("banned_words.txt", "soft_banned_words.txt", "banned_subwords.txt")
SECOND_LEVEL = frozenset(("ac", "co", "com", "edu", "gov", "net", "org"))  # co.uk, com.br: three labels are a domain


class Words(NamedTuple):
    """datatrove's words, letters and digits in lower case."""

    banned: frozenset[str]
    soft: frozenset[str]
    parts: tuple[str, ...]


@dataclass(kw_only=True)
class UrlLists(Step):
    """Drop pages of blocked hosts, blocked URLs, and URLs with banned words."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset({"block", "allow", "words", "soft_word_threshold"})
    STOPS: ClassVar[bool] = True  # extraction is dear, and nobody wants the text of a blocked page

    lists: list[str] = field(
        default_factory=lambda: ["datatrove"],
        metadata={
            "help": "Block lists: `datatrove` (4.6 million hosts, in its wheel), a folder or .tar.gz with files named "
            "domains and urls (UT1's layout), or a text file with a host or URL a line."
        },
    )
    block: list[str] = field(default_factory=list, metadata={"help": "Hosts, with all below them, or URLs to drop."})
    allow: list[str] = field(
        default_factory=list,
        metadata={"help": "Hosts, with all below them, or URLs that are kept whatever lists and words say."},
    )
    words: bool = field(default=True, metadata={"help": "Drop URLs with words of datatrove's lists, too."})
    soft_word_threshold: int = field(
        default=2, metadata={"help": "Drop a URL with at least this many words of the list of soft words."}
    )

    index_file = ""  # set by `prepare`; not an option

    def check(self) -> None:
        allowed = _names(self.allow)
        for entry in self.block:
            if any(name in allowed for name in _all_names(entry)):
                raise UserMistake(
                    f"step url_lists: block: {entry} is allowed by `allow`, which wins; take it out of one"
                )
        if self.soft_word_threshold < 1:
            raise UserMistake(
                f"step url_lists: soft_word_threshold: {self.soft_word_threshold} drops all pages; "
                "write 1 or more, or  words: false"
            )

    def needs(self) -> list[Need]:
        return [*map(_list_need, self.lists), *self._word_need()]

    def prepare(self, folder: Path) -> None:
        """Builds the index in the cache, where it serves all runs with the same lists."""
        self.index_file = str(url_index.build(self.lists, shared.folder("url_lists")).resolve())

    def measured_by(self) -> dict[str, Any]:
        paths = [path for source in self.lists for path in url_index.files(source)]
        if self.words:
            paths += [_assets() / name for name in WORD_FILES]
        return {**super().measured_by(), "lists": url_index.digest(paths)}

    def measure(self, document: Document) -> Scores:
        url = document.metadata.get("url")
        if not url:
            return {}
        host, rest = url_index.split(url)
        reason = self._reason(url, host, rest)
        return {"host": host, "reason": reason} if reason else {"host": host}

    def judge(self, scores: Mapping[str, Any]) -> str | None:
        return scores.get("reason")

    def _reason(self, url: str, host: str, rest: str) -> str | None:
        above, page = url_index.parents(host), url_index.name(host, rest)
        allowed, blocked = _names(self.allow), _names(self.block)
        if allowed and not allowed.isdisjoint((*above, page)):
            return None
        index = url_index.opened(self.index_file)
        for name in reversed(above):  # the widest first, as datatrove tries the domain before the whole host
            if name in index or name in blocked:
                return "domain" if _is_domain(name) else "subdomain"
        if page in index or page in blocked:
            return "url"
        return _word_reason(url, _words(), self.soft_word_threshold) if self.words else None

    def _word_need(self) -> list[Need]:
        if not self.words:
            return []
        folder = url_index.assets()
        there = folder is not None and all((folder / name).exists() for name in WORD_FILES)
        return [Need("datatrove's banned words", str(folder) if there else None, "pip install datatrove")]


def _list_need(source: str) -> Need:
    try:
        paths = url_index.files(source)
    except UserMistake as mistake:
        return Need(f"block list {source}", None, str(mistake))
    return Need(f"block list {source}", str(paths[0]) if len(paths) == 1 else f"{len(paths)} files")


def _names(entries: list[str]) -> frozenset[str]:
    return _cached_names(tuple(entries))


@cache
def _cached_names(entries: tuple[str, ...]) -> frozenset[str]:
    return frozenset(url_index.name(*url_index.split(entry)) for entry in entries)


def _all_names(entry: str) -> list[str]:
    """What would allow a page at this entry."""
    host, rest = url_index.split(entry)
    return [*url_index.parents(host), url_index.name(host, rest)]


def _is_domain(name: str) -> bool:
    """Is this what one registers: example.org, example.co.uk, an address? Guessed without the list of public suffixes,
    since it decides nothing but the name of the reason."""
    labels = name.split(".")
    return (
        len(labels) < 3
        or labels[-1].isdigit()
        or (len(labels) == 3 and len(labels[2]) == 2 and labels[1] in SECOND_LEVEL)
    )


def _word_reason(url: str, words: Words, threshold: int) -> str | None:
    found = set(NOT_LETTERS.split(url))  # in the case of the URL, as datatrove does it
    if not words.banned.isdisjoint(found):
        return "banned_word"
    if len(words.soft & found) >= threshold:
        return "soft_banned_words"
    letters = NOT_LETTERS.sub("", url).lower()
    return "banned_subword" if any(part in letters for part in words.parts) else None


@cache
def _words() -> Words:
    banned, soft, parts = (_word_list(_assets() / name) for name in WORD_FILES)
    return Words(frozenset(banned), frozenset(soft), tuple(parts))


def _word_list(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted({NOT_LETTERS.sub("", line).lower() for line in lines if not line.startswith("#")} - {""})


def _assets() -> Path:
    folder = url_index.assets()
    if folder is None:
        raise UserMistake("step url_lists: words: datatrove's lists are not there; to mend it:  pip install datatrove")
    return folder
