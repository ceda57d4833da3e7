"""The funnel report: every number is on the page, nothing that a crawled page says is more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from hfllm.web.outcome import charts, report, wording

EVIL = "</b><script>alert(1)</script><img src=\"https://evil.example/x.png\" onerror='alert(2)'>"


def step(name: str, came: int, dropped: dict[str, int], **more: Any) -> dict[str, Any]:
    kept = came - sum(dropped.values())
    return {"name": name, "documents_in": came, "documents_out": kept, "dropped": dropped, **more}


def funnel() -> dict[str, Any]:
    """Numbers that nothing else on the page is."""
    words = {"score": "words", "minimum": 50, "maximum": 9000, "edges": [0, 100, 1000, 10517], "counts": [311, 322, 83]}
    quality = step(
        *("gopher_quality", 904, {"short_doc": 41, "below_alpha": 12}),
        **{"options": {"min_doc_words": 57, "stop_words": None}, "characters_out": 700123, "tokens_out": 160456},
        **{"seconds": 63.5, "edited": 17, "removed_lines": {"no_terminal_punctuation": 133}, "languages": {"en": 851}},
        **{"domains": [["town-news.example", 23]], "histograms": [words]},
        examples=[
            {"reason": "short_doc", "url": "http://a.example/1", "text": "Too short.", "scores": {"words": 12}},
            {"reason": "edited", "url": None, "text": "Kept.", "scores": {}, "lines": [["javascript", "Enable it"]]},
        ],
    )
    twin = {"url": "http://b.example/2", "text": "the old bridge fell"}
    minhash = step(
        *("minhash", 851, {"duplicate": 39}),
        characters_out=650789,
        tokens_out=150321,
        examples=[{"reason": "duplicate", "url": "http://a.example/2", "text": "the new bridge fell", "twin": twin}],
    )
    pii = step("pii", 812, {}, characters_out=650777, tokens_out=150300, found={"email": 31})
    decontaminate = step(
        *("decontaminate", 812, {}),
        flagged={"gsm8k/test": 14, "runs/tiny/world/test": 3},
        examples=[
            {
                "reason": "flagged",
                "url": "http://a.example/3",
                "text": "Ada buys twenty red apples.",
                "scores": {"coverage": 0.8},
                "lines": [["gsm8k/test/17", "buys twenty red"]],
            }
        ],
    )
    return {
        **{"name": "runs/tiny/data", "files": 4, "broken": [{"file": "a.warc.gz", "message": "cut", "records": 18}]},
        **{"records": 1002, "not_pages": {"warcinfo": 4, "status 404": 19}, "documents": 979},
        **{"tokens_are": "tokens of runs/tiny/tokenizer"},
        "steps": [step("url_lists", 979, {"domain": 75}), quality, minhash, pii, decontaminate],
        "output": {"documents": 812, "characters": 650777, "tokens": 150300, "languages": {"en": 812}, "domains": []},
        "truth": [
            {"step": "read", "what": "pages", "recall": 0.975, "precision": None, "found": 195, "of": 200},
            {
                "step": "minhash",
                "what": "copies",
                "recall": 1.0,
                "precision": 0.96,
                "found": 24,
                "of": 24,
                "dropped": 25,
            },
        ],
    }


class Tree(HTMLParser):
    """The elements of a page; fails where an end tag closes nothing."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th", "dd"):
            self.text += " "  # a cell ends a word
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def assert_stands_alone(page: str) -> Tree:
    """Whole HTML, ids once, no script, nothing loaded, links into the page alone."""
    tree = Tree(page)
    assert not tree.open
    names = {tag for tag, _ in tree.elements}
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "audio", "video", "use"}
    ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tree.elements:
        assert not {name for name in attributes if name.startswith("on")} | attributes.keys() & {"src", "xlink:href"}
        assert "href" not in attributes or str(attributes["href"]).removeprefix("#") in ids
    assert set(re.findall(r"url\(([^)]*)", page)) == {"#lost0", "#lost1"}
    assert "@import" not in page
    policy = next(attributes for _, attributes in tree.elements if "http-equiv" in attributes)
    assert str(policy["content"]).startswith("default-src 'none'; style-src 'unsafe-inline';")
    return tree


def numbers_in(value: Any) -> list[int | float]:
    match value:
        case dict():
            return [number for item in value.values() for number in numbers_in(item)]
        case list():
            return [number for item in value for number in numbers_in(item)]
        case bool() | str() | None:
            return []
    return [value]


def test_every_number_of_the_funnel_is_on_the_page() -> None:
    content = funnel()
    truth = content.pop("truth")
    tree = assert_stands_alone(report.page(content | {"truth": truth}))
    shown = set(re.findall(r"[\d,]+(?:\.\d+)?", tree.text))
    assert {wording.number(number) for number in numbers_in(content)} <= shown
    assert {"97.5", "195", "200", "100", "24", "25", "96"} <= shown


def test_the_page_of_a_funnel_says_what_happened() -> None:
    text = " ".join(assert_stands_alone(report.page(funnel())).text.split())  # no-break spaces too
    # 812 / 979 = 0.829; 650,777 / 700,123 = 0.930
    assert (
        "Of 1,002 records in 4 files, 979 were pages; 812 became documents: 82.9 % of the pages, "
        "93 % of the text after gopher_quality." in text
    )
    # 75 / 979 = 0.077; 53 / 979 = 0.054; 39 / 979 = 0.040
    assert "Most was lost at url_lists (7.7 % of the pages), gopher_quality (5.4 %) and minhash (4 %)." in text
    assert "words 12 below 50" in text
    assert "1 min 04 s" in text
    assert "a.warc.gz: cut (18 records read)" in text


def test_a_page_of_lines_twins_and_personal_data() -> None:
    page = report.page(funnel())
    assert '<del dir="auto">Enable it</del>' in page
    assert "the <mark>new</mark> bridge fell" in page
    assert "the <mark>old</mark> bridge fell" in page
    example = {"reason": "email", "url": "", "text": "write to ann@a.example"}
    secret = funnel()
    secret["steps"][-1]["examples"] = [example]
    assert "ann@a.example" not in report.page(secret)


def test_steps_that_lost_something_are_open() -> None:
    details = [one for tag, one in Tree(report.page(funnel())).elements if tag == "details"]
    assert ["open" in one for one in details if one.get("class") == "step card"] == [True, True, True, False, True]


def test_flagged_pages_are_shown_as_kept() -> None:
    page = report.page(funnel())
    assert "flagged: gsm8k/test 14, runs/tiny/world/test 3" in " ".join(Tree(page).text.split())
    card = page[page.index('id="step-5"') :].partition("</article>")[0]
    assert '<q dir="auto">buys twenty red</q> <span class="soft"><bdi>gsm8k/test/17</bdi></span>' in card
    assert '<span class="tag kept"><bdi>flagged</bdi></span>' in card
    assert "coverage" in card
    for loss in ("lost", "removed", "<del", "<mark"):
        assert loss not in card
    assert '<span class="tag"><bdi>short_doc</bdi></span>' in page
    assert '<span class="tag kept"><bdi>edited</bdi></span>' in page


def test_personal_data_in_examples_is_masked() -> None:
    """Examples come from before the step `pii`."""
    content = funnel()
    mail, phone = "ann@a.example", "212-555-0100"
    for one in content["steps"]:
        for number, example in enumerate(one.get("examples", [])):
            example["text"] = f"page {number}: {mail}, or call {phone}"
            example["lines"] = [["javascript", f"by {mail} and {phone}"]]
            if "twin" in example:
                example["twin"]["text"] = f"its twin: {mail} {phone}"
    page = report.page(content)
    assert mail not in page
    assert phone not in page
    assert "page 1: &lt;EMAIL&gt;, or call &lt;PHONE&gt;" in page
    assert "by &lt;EMAIL&gt; and &lt;PHONE&gt;</del>" in page
    assert "its twin:" in page


def test_an_address_that_was_cut_in_two_is_not_shown() -> None:
    assert report.masked("word " * 118 + "ann@a.exam", 600) == "word " * 118
    assert report.masked("ask ann@a.example", 600) == "ask <EMAIL>"
    assert report.masked("字" * 600, 600) == "字" * 536


def evil(value: Any) -> Any:
    """The same funnel with every text and every key that is free made evil."""
    match value:
        case str():
            return EVIL
        case list():
            return [evil(item) for item in value]
        case dict():
            return {name: evil(item) for name, item in value.items()}
    return value


def test_nothing_in_a_funnel_is_more_than_text() -> None:
    content = evil(funnel())
    content["not_pages"] = {EVIL: 3}
    for one in content["steps"]:
        one |= {"dropped": {EVIL: 1, "x' onclick='y": 2}, "options": {EVIL: EVIL}, "languages": {EVIL: 1}}
        one["examples"] = [{"reason": EVIL, "url": "javascript:alert(1)", "text": EVIL, "scores": {EVIL: [EVIL]}}]
    page = report.page(content)
    tree = assert_stands_alone(page)
    assert "javascript:alert(1)" in tree.text
    assert tree.text.count("<script>") > 20


def test_characters_that_a_browser_would_obey_are_named() -> None:
    content = funnel()
    content["steps"][1]["examples"][0] |= {"text": "a\x00b\x85c\u202ed\ud83de \U0001d4af\u05d0", "url": "http://\x07"}
    page = report.page(content)
    assert "a⟨00⟩b⟨85⟩c⟨202e⟩d\ufffde \U0001d4af\u05d0" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    page.encode()


def test_thousands_of_reasons_and_endless_names() -> None:
    content = funnel()
    content["steps"] = [step("x" * 5000, 5050, {f"reason {i}": i for i in range(1, 101)} | {"y" * 9000: 0})]
    page = report.page(content)
    assert len(page) < 40_000
    # the twelve largest are 89 to 100; the other 88 and the one of none sum to 88 * 89 / 2 = 3,916
    assert "89 others" in page
    assert "3,916" in page
    assert "x" * 200 not in page


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": "empty", "steps": None, "output": None, "truth": None},
        {"records": 3, "files": 1, "not_pages": {"warcinfo": 3}},
        {"records": 3, "documents": 3, "steps": [{"name": "language"}]},
        {"records": 3, "documents": 3, "steps": [step("language", 3, {"de": 3}, characters_out=0, seconds=0)]},
        {"records": 1, "documents": 1, "steps": [], "output": {"documents": 1, "characters": 5}},
        {"steps": [step("a", 0, {}, histograms=[{"score": "s", "edges": [], "counts": []}])]},
        {"steps": [step("a", 3, {}, histograms=[{"score": "s", "edges": [1, 1], "counts": [3], "minimum": 2}])]},
        {"steps": [step("a", 1, {"b": 1}, examples=[{}, {"twin": {}}])], "truth": [{}], "broken": [{}]},
    ],
)
def test_what_is_missing_counts_as_empty(content: dict[str, Any]) -> None:
    assert_stands_alone(report.page(content))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"files": 2}, "No records were read in 2 files."),
        ({"records": 3, "files": 1}, "Of 3 records in 1 file, 0 were pages."),
        ({"records": 1, "documents": 1}, "Of 1 record, 1 was a page; none of them was kept."),
    ],
)
def test_the_sentence_of_little(content: dict[str, Any], sentence: str) -> None:
    assert sentence in report.page(content)


def test_accounts_that_do_not_add_up_are_told() -> None:
    assert "alarm" not in report.page(funnel()).partition("<body>")[2]
    content = funnel()
    content["steps"][0]["documents_out"] = 900  # 979 - 900 - 75 = 4
    assert "4 pages that came in are neither out nor lost for a reason" in report.page(content)


def test_more_examples_wait_behind_a_click() -> None:
    content = funnel()
    content["steps"][1]["examples"] *= 4
    page = report.page(content)
    assert "2 more examples" in page
    assert page.count("Too short.") == 4


# charts: arithmetic by hand


def test_segments_lie_side_by_side() -> None:
    parts = [("kept", "a", 3), ("lost0", "b", 0), ("lost1", "c", 1)]
    assert charts.segments(parts, 8) == [
        charts.Segment("kept", "a", 0.0, 37.5),
        charts.Segment("lost1", "c", 37.5, 12.5),
    ]
    assert charts.segments(parts, 0) == []


def test_a_row_of_the_funnel_is_drawn_to_the_scale_of_all() -> None:
    row = report.Row("a", came=8, kept=4, reasons={"x": 1, "y": 3}, characters=30, characters_before=50)
    assert [(part.kind, part.x, part.width) for part in row.bar(16)] == [
        ("kept", 0, 25),
        ("lost0", 25, 18.75),  # y: the larger first
        ("lost1", 43.75, 6.25),
    ]
    assert [(part.kind, part.x, part.width) for part in row.text_bar(100)] == [("kept", 0, 30), ("lost0", 30, 20)]
    assert row.unexplained == 0


def test_a_ranking_ends_with_the_others() -> None:
    assert charts.ranking({"a": 1, "b": 4}) == [charts.Entry("b", 4, 100), charts.Entry("a", 1, 25)]
    # one more than the twelve is shown in place of "1 others"
    assert len(charts.ranking({str(i): 1 for i in range(13)})) == 13
    assert charts.ranking([["a", 5], ["b", 2], ["c", 2], ["d", 1]], top=2) == [
        charts.Entry("a", 5, 100),
        charts.Entry("b", 2, 40),
        charts.Entry("2 others", 3, 60, is_rest=True),
    ]
    assert charts.ranking({}) == []


def test_a_value_lies_in_its_bin() -> None:
    edges = [0, 100, 1000]
    assert [charts.place(value, edges) for value in (-5, 0, 50, 100, 550, 1000, 2000)] == [0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert charts.place(1, [1, 1]) == 0


def test_a_bar_is_cut_at_its_threshold() -> None:
    histogram = {"minimum": 50, "maximum": None, "edges": [0, 100, 200, 300, 400], "counts": [4, 8, 0, 2]}
    assert charts.histogram_bars(histogram) == [
        charts.Bar(0.0, 0.125, 0.5, kept=False),
        charts.Bar(0.125, 0.125, 0.5, kept=True),
        charts.Bar(0.25, 0.25, 1.0, kept=True),
        charts.Bar(0.75, 0.25, 0.25, kept=True),
    ]
    kept = [bar.kept for bar in charts.histogram_bars(histogram | {"minimum": 200, "maximum": 250})]
    assert kept == [False, False, False]  # only the empty bin is inside
    assert all(bar.kept for bar in charts.histogram_bars(histogram | {"minimum": -1, "maximum": 500}))
    assert not any(bar.kept for bar in charts.histogram_bars(histogram | {"minimum": 500}))


def test_a_threshold_beyond_the_axis_lies_at_its_end() -> None:
    histogram = {"minimum": 50, "maximum": 900, "edges": [0, 100, 200], "counts": [4, 8]}
    assert charts.thresholds(histogram) == [
        charts.Mark("minimum", 50, 0.25),
        charts.Mark("maximum", 900, 1.0, beyond=True),
    ]
    content = funnel()
    content["steps"][1]["histograms"] = [{"score": "words", **histogram}]
    assert "maximum 900 →" in report.page(content)


def test_two_histograms_of_a_score_are_one_chart() -> None:
    low = {"score": "words", "minimum": 50, "maximum": None, "edges": [0, 100], "counts": [4]}
    assert charts.merged([low, low | {"minimum": None, "maximum": 90}]) == [low | {"maximum": 90}]


def test_an_axis_names_its_ends() -> None:
    assert [mark.value for mark in charts.ticks([0, 1, 2, 3, 4, 5, 6, 7, 8])] == [0, 2, 4, 6, 8]
    assert [(mark.value, mark.x) for mark in charts.ticks([3, 7])] == [(3, 0), (7, 1)]


# wording


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9_999_999, "9,999,999"),
        (10_000_000, "10 M"),
        (12_345_678, "12.3 M"),
        (99_960_000, "100 M"),
        (999_499_999, "999 M"),
        (999_600_000, "1 B"),
        (7_750_000_000, "7.75 B"),
        (11_902_004_112_009, "11.9 T"),
        (4_000_000_000_000_000, "4,000 T"),
    ],
)
def test_large_numbers_keep_three_digits(value: int, text: str) -> None:
    assert wording.compact(value).replace(wording.SPACE, " ") == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 3, "33.3 %"), (1, 4, "25 %"), (0, 5, "0 %"), (1, 9000, "< 0.1 %"), (8999, 9000, "> 99.9 %"), (5, 5, "100 %")],
)
def test_what_is_not_all_never_looks_like_it(part: int, whole: int, text: str) -> None:
    assert wording.share(part, whole).replace(wording.SPACE, " ") == text


def test_a_share_of_nothing_is_a_dash() -> None:
    assert wording.share(0, 0) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (3.21, "3.2 s"), (9.97, "10 s"), (59.7, "1 min 00 s"), (250, "4 min 10 s"), (7500, "2 h 05 min")],
)
def test_time_is_told_in_two_units(seconds: float, text: str) -> None:
    assert wording.duration(seconds).replace(wording.SPACE, " ") == text


def test_numbers_are_written_as_a_reader_expects() -> None:
    values = [None, True, 1234567, 0.65123, 12345.6, "de", ["a", "é"]]
    assert [*map(wording.number, values)] == ["–", "true", "1,234,567", "0.6512", "12,346", "de", '["a", "é"]']
    assert [*map(wording.rounded, [8, 88.534, 979.8, 0.3333])] == ["8", "88.5", "980", "0.333"]


def test_both_ends_of_a_long_text_are_kept() -> None:
    assert wording.shorten("abcdefghij", 6) == "abcd … ij"
    assert wording.shorten("abcdef", 6) == "abcdef"


def test_what_differs_is_marked_and_a_cut_end_is_not() -> None:
    assert report.differences("a b c", "a x c") == [("a ", False), ("b", True), (" ", False), ("c", False)]
    assert report.differences("", "a") == []
    long = "word " * 119
    assert len(long) == 595
    assert report.differences(long + "abcde", long + "other", cut=True) == [(long, False), ("abcde", False)]
    assert report.differences(long + "ab", long + "cd") == [(long, False), ("ab", True)]
