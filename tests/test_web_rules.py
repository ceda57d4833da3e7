"""Words, the four steps with rules of text quality, and the signature: the same as datatrove's, and kept as scores."""

from __future__ import annotations

import json
import pickle
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dill
import pytest
from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.base_filter import get_filter_result
from datatrove.pipeline.filters.gopher_repetition_filter import (
    find_all_duplicate,
    find_duplicates,
    find_top_duplicate,
    get_n_grams,
)
from datatrove.utils.hashing import HashConfig
from datatrove.utils.text import simplify_text

from hfllm import web
from hfllm.errors import UserMistake
from hfllm.web.run.signature import BLOCK, Signature, simplified
from hfllm.web.steps.c4_quality import C4Quality
from hfllm.web.steps.fineweb_quality import FinewebQuality
from hfllm.web.steps.gopher_quality import GopherQuality
from hfllm.web.steps.gopher_repetition import (
    DUP_N_GRAMS,
    GopherRepetition,
    Places,
    repeated,
    repeated_characters,
    top_characters,
)
from hfllm.web.text import words
from hfllm.web.text.text_rules import TextRules

PROSE = (
    "The mill stands at the bend of the river, and the miller has lived there with his two sons since the flood. "
    "In spring they open the sluice to let the water in. The wheel turns slowly at first, then faster. "
    "Farmers of the valley bring wheat that they have dried in the sun. They wait in the yard and talk about prices. "
    "At noon everybody eats bread with cheese under the old lime tree."
)

# ---- words and sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cat sat.", ["The", "cat", "sat", "."]),
        ("“Stop!” (he said):", ["“", "Stop", "!", "”", "(", "he", "said", "):"]),
        ("don't it’s we'll", ["don", "'t", "it", "’s", "we", "'ll"]),
        ("l'été d’une", ["l'été", "d’une"]),
        ("well-known and/or Covid-19", ["well", "-", "known", "and", "/", "or", "Covid-19"]),
        ("at 10:30, 5,000 or 3.5", ["at", "10:30", ",", "5,000", "or", "3.5"]),
        ("Dr. Who of the U.S. J. Doe", ["Dr.", "Who", "of", "the", "U.S.", "J.", "Doe"]),
        ("The end.Then more", ["The", "end", ".", "Then", "more"]),
        ("see https://a.example/b?c=1 now", ["see", "https://a.example/b?c=1", "now"]),
        ("me@mail.example AT&T -0.5 --", ["me@mail.example", "AT&T", "-0.5", "--"]),
        ("wait... what?!", ["wait", "...", "what", "?", "!"]),
        ("$5 20 € ☃x", ["$", "5", "20", "€", "☃", "x"]),
        (" \n\t ", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words.words_of(text, "regex") == tuple(expected)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("no stop at all", 1),
        ("One. Two! Three? Four", 4),
        ("He asked: “Why?” “Because.” So it ended.", 3),
        ("Mr. Smith of the U.S. Navy, e.g. a captain, left at 3.15 p.m. sharp.", 1),
        ("Well... it goes on... and on", 1),
        ("It ended.Then it began.", 2),
        ("All of it!!! (really) ", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert words.sentence_count(text, "regex") == count
    spans = words.sentence_spans(text, "regex")
    assert "".join(text[start:end] for start, end in spans) == text
    assert len(spans) == count


def test_no_character_is_lost() -> None:
    for text in texts():
        assert "".join(words.words_of(text, "regex")) == "".join(text.split())


@pytest.mark.parametrize(
    "unit", ["!", "? ", "_", "a.", "A.", "-", "a-", ".", "①", "a_", "'", "[", "don't", "http", "é!"]
)
def test_time_grows_with_the_text_only(unit: str) -> None:
    """Quadratic time would be minutes here."""
    text = unit * (200_000 // len(unit)) + "."
    started = time.process_time()
    words.split(text, "regex")
    words.sentence_count(text, "regex")
    assert time.process_time() - started < 3


def test_words_for_datatrove_travel_to_workers() -> None:
    for module in (pickle, dill):
        there = module.loads(module.dumps(words.for_datatrove("regex")))
        assert there.word_tokenize(PROSE) == list(words.words_of(PROSE, "regex"))
        assert there.sent_tokenize("One. Two.") == ["One.", "Two."]


def test_words_of_spacy() -> None:
    pytest.importorskip("spacy")
    assert words.words_of("I cannot,\n\n really", "spacy") == ("I", "can", "not", ",", "really")
    assert words.sentence_count("One. Two! Three", "spacy") == 3
    assert words.sentence_count("", "spacy") == 1


def test_without_spacy(monkeypatch: pytest.MonkeyPatch) -> None:
    words._spacy.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserMistake, match="pip install spacy"):
        words.split("a", "spacy")


# ---- the same decisions, reasons and texts as datatrove's filters with the same words


def texts() -> Iterator[str]:
    """Texts for every reason, then whatever chance makes of their pieces."""
    yield from ("", " \n \n", ".", PROSE, PROSE.replace(". ", ".\n"))
    yield from written()
    yield from repeating()
    yield from random_texts()


def written() -> Iterator[str]:
    line = "Here the {} line of the text is longer than thirty characters"
    places = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    lines = [line.format(place) for place in places]
    yield "\n\n".join([PROSE, *["Read more here"] * 8, "The end of it"])  # dup_para_frac
    yield "\n\n".join([*lines, PROSE, PROSE])  # dup_para_char_frac
    yield "\n".join([*lines[:3], *["next page"] * 5])  # dup_line_frac
    yield "\n".join([*lines, PROSE, PROSE])  # dup_line_char_frac
    yield "buy now " * 30 + PROSE  # top_2_gram
    yield " ".join(f"one two three x{number}" for number in range(40))  # top_3_gram
    yield " ".join(f"one two three four xyzxyzxyzxyzxyzxyzxyz{number:x}" for number in range(40))
    yield "Too short to stay."
    yield " ".join(f"{letter} {other}" for letter in "abcdefghijk" for other in "lmnopqr")  # below average
    yield " ".join(f"incomprehensibility{number}" for number in range(80))  # above average
    yield PROSE + " #" * 20
    yield PROSE + " … and" * 20
    yield "\n".join(f"- {line} and that" for line in lines)  # bullets
    yield "\n".join(f"{line} and so on to the end ..." for line in lines)  # end ellipsis
    yield PROSE + "".join(f" {number} ;" for number in range(40))  # below alpha
    yield " ".join(f"wort{number % 7} haus{number}" for number in range(40))  # no stop words
    yield "\n".join([PROSE, "Lorem Ipsum dolor sit amet", "code { here in a line"])
    yield "\n".join([PROSE, "code { here in a line", "Lorem Ipsum dolor sit amet"])
    yield "\n".join([PROSE, "a lorem ipsum { in one line"])
    yield "\n".join([PROSE, "please enable JavaScript { now }", "see our Privacy Policy for all", "a[1] b[edit] c[23]"])
    yield "\n".join([PROSE, "x" * 1001 + " a long word", "java[1]script is on here", "[1] [2] [3]", "one two"])
    yield "Two sentences only. The other one."
    yield "\n".join(lines)  # line_punct_ratio
    yield "\n".join(f"{number} is short." for number in range(20))  # short_line_ratio
    yield "\n".join([*(f"{line}." for line in lines), f"{lines[0]}."])  # char_dup_ratio
    yield "\n".join("averylongwordwithnospacesinitatallsoitcounts." + str(number) + "." for number in range(9))  # list


def repeating() -> Iterator[str]:
    """Four groups of `n` words that come twice: a share of the text that breaks the limit of `n` and of no smaller."""
    for n, limit in DUP_N_GRAMS.items():
        assert limit is not None
        share = (limit + DUP_N_GRAMS.get(n - 1, 0.17)) / 2
        fresh = iter(f"{number:04d}" for number in range(10_000))
        groups = [[next(fresh) for _ in range(n)] for _ in range(4)]
        # words of 4 characters and a space: 4 * 4 * n characters of 5 * total
        total = round(16 * n / (5 * share))
        parts = groups + groups
        single = [[next(fresh)] for _ in range(total - 8 * n)]
        spread = [part for number, part in enumerate(parts) for part in (part, *single[number::8])]
        yield " ".join(word for part in spread for word in part)


def random_texts() -> Iterator[str]:
    pieces = (PROSE + " the and of 12 3.5 # ## … ... • - -- { } [1] [edit] lorem ipsum javascript").split()
    pieces += [
        "use cookies",
        "Überraschung",
        "日本語。",
        "\n",
        "\n",
        "\n\n",
        "\n- ",
        "...\n",
        ".\n",
        "\r\n",
        "\u2028",
        "\x1c",
    ]
    chance = random.Random(0)
    for _ in range(150):
        some = chance.sample(pieces, chance.randint(2, len(pieces)))
        yield " ".join(chance.choice(some) for _ in range(chance.randint(1, 150)))


def options() -> Iterator[tuple[TextRules, Any]]:
    """Our step and datatrove's filter with the same options."""
    own = words.for_datatrove("regex")
    yield GopherRepetition(), GopherRepetitionFilter(language=own)
    top, dup = {3: 0.05, 2: 0.05, 6: 0.06}, {7: 0.02, 3: 0.02}
    yield (
        GopherRepetition(dup_line_frac=None, dup_para_frac=0.1, dup_para_char_frac=None, top_n_grams=dict(top)),
        GopherRepetitionFilter(None, 0.1, 0.2, None, tuple(top.items()), language=own),
    )
    yield (
        GopherRepetition(top_n_grams=None, dup_n_grams=dict(dup)),
        GopherRepetitionFilter(top_n_grams=(), dup_n_grams=tuple(dup.items()), language=own),
    )
    yield GopherQuality(), GopherQualityFilter(language=own)
    yield (
        GopherQuality(min_doc_words=3, max_doc_words=60, min_stop_words=1, stop_words=["Lorem", "of"]),
        GopherQualityFilter(
            min_doc_words=3, max_doc_words=60, min_stop_words=1, stop_words=["Lorem", "of"], language=own
        ),
    )
    yield C4Quality(), C4QualityFilter(filter_no_terminal_punct=False, language=own)
    yield (
        C4Quality(
            filter_no_terminal_punct=True, remove_citations=False, min_words_per_line=None, filter_lorem_ipsum=False
        ),
        C4QualityFilter(remove_citations=False, min_words_per_line=-1, filter_lorem_ipsum=False, language=own),
    )
    yield (
        C4Quality(filter_curly_bracket=False, filter_javascript=False, filter_policy=False, min_num_sentences=None),
        C4QualityFilter(
            filter_no_terminal_punct=False,
            filter_curly_bracket=False,
            filter_javascript=False,
            filter_policy=False,
            min_num_sentences=-1,
            language=own,
        ),
    )
    yield C4Quality(max_word_length=6), C4QualityFilter(filter_no_terminal_punct=False, max_word_length=6, language=own)
    yield FinewebQuality(), FineWebQualityFilter(language=own)
    yield (
        FinewebQuality(line_punct_thr=None, short_line_thr=0.9, short_line_length=60, char_duplicates_ratio=0.1),
        FineWebQualityFilter(
            line_punct_thr=0, short_line_thr=0.9, short_line_length=60, char_duplicates_ratio=0.1, language=own
        ),
    )


def test_decisions_reasons_and_edits_are_datatroves() -> None:
    seen: set[str | None] = set()
    many = list(texts())
    for step, block in options():
        for text in many:
            theirs, ours = Document(text=text, id="0"), Document(text=text, id="0")
            keep, reason = get_filter_result(block.filter(theirs))
            judged = step.judge(json.loads(json.dumps(step.measure(ours))))
            assert judged == (None if keep else reason), (step, text)
            if keep:
                assert ours.text == theirs.text
            seen.add(judged)
    known = {limit.reason for step, _ in options() for limit in step.limits()}
    assert seen == known | {None}


def test_counts_are_datatroves() -> None:
    """Few letters and short words: "ab" "c" and "a" "bc" are one and the same to `find_all_duplicate`."""
    chance = random.Random(1)
    for _ in range(300):
        letters = "abcdefghijklmnop"[: chance.choice([1, 2, 4, 16])]
        some = ["".join(chance.choices(letters, k=chance.randint(1, 6))) for _ in range(chance.choice([3, 20, 200]))]
        text = chance.choices(some, k=chance.randint(0, 120))
        assert (repeated(text), repeated_characters(text)) == find_duplicates(text)
        places = Places.of(text)
        for n in range(1, 12):
            assert places.repeated_characters(n) == find_all_duplicate(text, n)
            expected = find_top_duplicate(get_n_grams(text, n)) if len(text) >= n else 0
            assert top_characters(text, n) == expected


# ---- scores are kept: thresholds can be changed without measuring again


def test_scores_by_hand() -> None:
    # 9 words of 33 letters, and a full stop; of the stop words only `of`, for `The` is not `the`
    scores = GopherQuality().measure(Document(text="The end of every story is a new beginning.", id="0"))
    assert (scores["words"], scores["stop_words"]) == (9, 1)
    assert scores["avg_word_length"] == pytest.approx(33 / 9)
    assert scores["alpha_words_ratio"] == 9 / 10
    # "a b" 3 times in 20 characters: 3 * 3; the second and third line stood there before: 2 of 5 lines
    scores = GopherRepetition().measure(Document(text="a b\na b\na b\ncd\nefgh!", id="0"))
    assert scores["dup_line_frac"] == 2 / 5
    assert scores["dup_line_char_frac"] == 6 / 20
    assert scores["top_2_gram"] == 9 / 20
    # of 4 lines that are not blank 2 end with a stop, 3 are short, one of 5 characters comes again; 15 words
    text = "Menu.\nMenu.\n\nNo stop\nA line of thirty-one characters, oh"
    scores = FinewebQuality().measure(Document(text=text, id="0"))
    assert scores == {
        "lines": 4,
        "line_punct_ratio": 2 / 4,
        "short_line_ratio": 3 / 4,
        "char_dup_ratio": 5 / (len(text) - 4),
        "list_ratio": 4 / 15,
    }


def test_thresholds_judge_and_do_not_measure() -> None:
    for kind, threshold, value in (
        (GopherRepetition, "top_n_grams", {2: 0.5, 4: None}),
        (GopherRepetition, "dup_n_grams", None),
        (GopherQuality, "min_doc_words", 3),
        (C4Quality, "min_num_sentences", None),
        (C4Quality, "filter_curly_bracket", False),
        (FinewebQuality, "line_punct_thr", 0.5),
    ):
        assert kind(**{threshold: value}).measured_by() == kind().measured_by()
    for kind, option, value in (
        (GopherRepetition, "dup_n_grams", {20: 0.1}),
        (GopherRepetition, "word_tokenizer", "spacy"),
        (GopherQuality, "stop_words", ["der", "die"]),
        (C4Quality, "filter_policy", False),
        (FinewebQuality, "short_line_length", 20),
    ):
        assert kind(**{option: value}).measured_by() != kind().measured_by()
    scores = GopherQuality().measure(Document(text="The end of every story is a new beginning.", id="0"))
    assert GopherQuality().judge(scores) == "gopher_short_doc"
    assert GopherQuality(min_doc_words=5).judge(scores) == "gopher_enough_stop_words"
    assert GopherQuality(min_doc_words=5, min_stop_words=None).judge(scores) is None


def test_dropped_pages_have_all_scores() -> None:
    text = "next\n\nnext\n\nnext\n\nnext"
    step = GopherRepetition()
    scores = step.measure(Document(text=text, id="0"))
    assert step.judge(scores) == "dup_para_frac"
    assert {limit.score for limit in step.limits()} == scores.keys()


def test_c4_takes_lines_out() -> None:
    lines = [
        PROSE,
        "Menu",
        "  A fact[12] that is cited. ",
        "Please enable JavaScript to read.",
        "We use cookies here.",
        "x",
    ]
    document = Document(text="\n".join(lines), id="0")
    scores = C4Quality().measure(document)
    assert document.text == f"{PROSE}\nA fact that is cited."
    assert (scores["lines"], scores["sentences"]) == (6, 7)  # 6 of the prose, and the fact
    assert scores["removed"] == {"too_few_words": 2, "javascript": 1, "policy": 1}
    assert scores["removed_lines"][:2] == [["too_few_words", "Menu"], ["javascript", lines[3]]]


def test_c4_edits_depend_on_no_threshold() -> None:
    text = f"{PROSE}\nLorem ipsum is filler\na curly {{ line"
    for thresholds in ({}, {"filter_lorem_ipsum": False}, {"filter_curly_bracket": False, "min_num_sentences": None}):
        document = Document(text=text, id="0")
        scores = C4Quality(**thresholds).measure(document)
        assert document.text == text
        assert scores == C4Quality().measure(Document(text=text, id="0"))


def test_spacy_is_asked_for_only_where_it_is_used() -> None:
    assert GopherQuality().needs() == []
    [need] = GopherQuality(word_tokenizer="spacy").needs()
    assert need.what == "spacy"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("gopher_quality", {"word_tokenizer": "nltk"}, "step gopher_quality: word_tokenizer: 'nltk'"),
        ("gopher_quality", {"min_doc_words": "50"}, "min_doc_words: '50' is not a"),
        ("c4_quality", {"min_num_sentences": -1}, "step c4_quality: min_num_sentences: -1 is below 0; null switches"),
        ("gopher_repetition", {"dup_line_frac": 30}, "a share of 30 % is written 0.3"),
        ("gopher_repetition", {"top_n_grams": [[2, 0.2]]}, "top_n_grams: a list is not a mapping"),
        ("gopher_repetition", {"top_n_grams": {"two": 0.2}}, "'two' is no number of words; write  {2: 0.2, 3: 0.18}"),
        ("gopher_repetition", {"dup_n_grams": {5: 15}}, r"dup_n_grams\[5\]: 15 is more than all of it"),
    ],
)
def test_mistakes_are_told(name: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        web.find(name, given)


# ---- the signature


def test_signature_writes_datatroves_files(tmp_path: Path) -> None:
    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts())]
    documents.append(Document(text=" ".join(f"w{number}x" for number in range(BLOCK * 2 + 10)), id="long"))
    for bits in (32, 64):
        config = MinhashConfig(hash_config=HashConfig(precision=bits, hash_fc="sha1"))
        for kind in (MinhashDedupSignature, Signature):
            kind(str(tmp_path / f"{kind.__name__}-{bits}"), config, language=words.for_datatrove("regex")).run(
                documents
            )
        theirs, ours = (tmp_path / f"{kind.__name__}-{bits}" for kind in (MinhashDedupSignature, Signature))
        files = sorted(file.relative_to(theirs) for file in theirs.rglob("*.sig"))
        assert len(files) == 14
        assert all((theirs / file).read_bytes() == (ours / file).read_bytes() for file in files)
        assert (theirs / files[0]).stat().st_size > 1000


def test_signature_with_xxhash() -> None:
    config = MinhashConfig(hash_config=HashConfig(hash_fc="xxhash"))
    signature = Signature("unused", config, language=words.for_datatrove("regex"))
    shingles = signature.get_shingles(PROSE)
    # groups of 5 of the words without punctuation
    assert shingles.shape == (len(simplify_text(PROSE).split()) - 4, 1)
    assert [len(bucket) for bucket in signature.get_signature(shingles)] == [8] * 14


def test_simplified_is_datatroves() -> None:
    accents = ["Ünïcödé ẫ é 1.234,5 ١٢٫٣ Ａ １２ ｶﾞ", "ก็ \u0301x", "İstanbul ΣΑΣ", "\u2000\u2001 a\x85b"]
    for text in (*texts(), *accents):
        assert simplified(text) == simplify_text(text)
