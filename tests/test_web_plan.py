"""Passes and their names, the files of a crawl, the guard, and the funnel's arithmetic."""

import json
import os

import pytest

from hfllm import web
from hfllm.errors import UserMistake
from hfllm.web.outcome import funnel
from hfllm.web.reading import units
from hfllm.web.reading.units import Unit
from hfllm.web.run import guard, plan
from hfllm.web.run.judging import Fate
from hfllm.web.step import Limit, Step

CHAIN = ["url_lists", "extract", "gopher_quality", "minhash", "pii"]


def planned(tmp_path, entries=CHAIN, names=("a", "b"), **options):
    steps = web.chain(entries)
    return plan.make(steps, [Unit(name, name) for name in names], tmp_path, **{"columns": {}, **options})


def folders(made):
    found = []
    for one in made.passes:
        found.append(one.folder)
        found += [one.deduplication.signatures, one.deduplication.groups] if one.deduplication else []
    return [*found, made.final]


def changed(before, after):
    """Which of the folders, in order, have another name."""
    return [one != other for one, other in zip(folders(before), folders(after), strict=True)]


def cut(entries):
    return [list(one) for one in plan.cut(web.chain(entries))]


def test_a_pass_ends_behind_extract_and_at_minhash():
    assert cut(CHAIN) == [["url_lists", "extract"], ["gopher_quality", "minhash"], ["pii"]]
    assert cut(["pii"]) == [["pii"]]
    assert cut(["extract", "minhash", "minhash"]) == [["extract"], ["minhash"], ["minhash-2"]]


def test_a_threshold_leaves_what_was_measured_before_it(tmp_path):
    """Passes: extract's, gopher_quality's with signatures and groups, pii's; and the end."""
    other = planned(tmp_path, [*CHAIN[:2], {"gopher_quality": {"min_doc_words": 7}}, *CHAIN[3:]])
    assert changed(planned(tmp_path), other) == [False, False, True, True, True, True]


def test_a_threshold_of_a_step_that_stops_pages_changes_its_own_pass_too(tmp_path):
    other = planned(tmp_path, [{"url_lists": {"block": ["bad.example"]}}, *CHAIN[1:]])
    assert all(changed(planned(tmp_path), other))


def test_how_much_a_step_may_lose_changes_nothing(tmp_path):
    other = planned(tmp_path, [*CHAIN[:2], {"gopher_quality": {"max_lost": 1}}, *CHAIN[3:]])
    assert not any(changed(planned(tmp_path), other))


def test_another_file_changes_only_what_sees_all_files(tmp_path):
    other = planned(tmp_path, names=("a", "b", "c"))
    assert changed(planned(tmp_path), other) == [False, False, False, True, True, True]


def test_other_columns_change_everything(tmp_path):
    assert all(changed(planned(tmp_path), planned(tmp_path, columns={"text": "body"})))


def test_another_tokenizer_changes_only_what_is_written_at_the_end(tmp_path):
    assert changed(planned(tmp_path), planned(tmp_path, final=["digest"])) == [*[False] * 5, True]


def test_a_step_that_stands_twice_is_numbered():
    assert list(web.chain(["pii", {"pii": {"kinds": ["email"]}}])) == ["pii", "pii-2"]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("extrakt", "did you mean extract?"),
        ({"minhash": {"bucket": 3}}, "did you mean buckets?"),
        ({"minhash": {"buckets": 0}}, "write 1 or more"),
        ({"extract": {}, "pii": {}}, "is no step"),
        ({"missing.py:f": {}}, "no such file"),
    ],
)
def test_a_wrong_step_is_told(entry, told):
    assert told in dict(web.problems({"steps": [entry]})).popitem()[1]


def test_a_filter_of_the_users_own(tmp_path):
    from datatrove.data import Document

    file = tmp_path / "mine.py"
    file.write_text("def long(text, *, most=3):\n    return 'long' if len(text) > most else None\n")
    step = web.find(f"{file}:long", {"most": 4})
    assert [step.judge(step.measure(Document(text=text, id="1"))) for text in ("four", "fives")] == [None, "long"]
    before = step.measured_by()
    file.write_text(file.read_text() + "# another thought\n")
    assert step.measured_by() != before
    with pytest.raises(UserMistake, match="least"):
        web.find(f"{file}:long", {"least": 4})


def test_input_files_are_found_sorted_and_named_by_what_they_hold(tmp_path):
    for name in ("b.warc.gz", "a.jsonl", "notes.txt"):
        (tmp_path / name).write_text(name)
    found = units.find([str(tmp_path)], None, "", None)
    assert [unit.path for unit in found] == [str(tmp_path / name) for name in ("a.jsonl", "b.warc.gz")]
    assert units.find([str(tmp_path / "*.warc.gz")], None, "", None) == found[1:]
    before = units.unit_name(str(tmp_path / "a.jsonl"))
    (tmp_path / "a.jsonl").write_text("longer than it was")
    assert units.unit_name(str(tmp_path / "a.jsonl")) != before


def test_a_list_of_paths_is_read_like_common_crawls(tmp_path):
    (tmp_path / "warc.paths").write_text("crawl/b.warc.gz\ncrawl/a.warc.gz\n")
    found = units.find([], str(tmp_path / "warc.paths"), "https://data.example/", 1)
    assert [unit.path for unit in found] == ["https://data.example/crawl/a.warc.gz"]


def test_no_input_is_a_mistake(tmp_path):
    with pytest.raises(UserMistake, match="no file of this name"):
        units.find([str(tmp_path / "*.warc.gz")], None, "", None)
    with pytest.raises(UserMistake, match="no file to read"):
        units.find([], None, "", None)


@pytest.mark.parametrize(("lost", "stops"), [(95, False), (96, True)])
def test_the_guard_stops_a_step_that_loses_too_many_of_the_first_hundred(lost, stops):
    watching = guard.Guard("language", max_lost=0.95)
    reasons = ["language"] * lost + [None] * (100 - lost)
    if stops:
        with pytest.raises(UserMistake, match=rf"step language dropped {lost} of the first 100 pages"):
            [watching.see(reason, "a.warc") for reason in reasons]
    else:
        [watching.see(reason, "a.warc") for reason in [*reasons, *["language"] * 1000]]


@pytest.mark.parametrize(("pages", "stops"), [(19, False), (20, True)])
def test_the_guard_judges_a_short_file_at_its_end(pages, stops):
    watching = guard.Guard("extract", max_lost=0.5)
    [watching.see("timeout", "a.warc") for _ in range(pages)]
    if stops:
        with pytest.raises(UserMistake, match="timeout: 20"):
            watching.end()
    else:
        watching.end()


class Words(Step):
    """Keeps pages of two words and more."""

    def limits(self):
        return [Limit("short", "words", minimum=2)]


def seen(rows):
    counting = funnel.Funnel({"words": Words()})
    for text in rows:
        scores = {"words": len(text.split()), "characters": len(text), "language": "en"}
        fate = Fate("words", "short") if scores["words"] < 2 else None
        counting.see(["words"], {"url": "https://www.a.example/", "text": text, "tags": {"words": scores}}, fate)
    return counting


def test_the_funnel_counts_what_came_what_went_on_and_what_did_not():
    count = seen(["one", "two words", "three words here"]).counts["words"]
    assert (count.documents_in, count.documents_out, count.characters_out) == (3, 2, 25)
    assert count.dropped == {"short": 1}
    assert count.domains == {"a.example": 1}
    assert count.languages == {"en": 2}
    assert count.values == {"words": [1, 2, 3]}
    assert count.examples["short"][0]["scores"] == {"words": 1}


def test_the_funnels_of_two_files_add_up():
    both = seen([])
    for rows in (["one", "two words"], ["three words here"]):
        both.add(json.loads(json.dumps(seen(rows).as_json())))
    assert both.as_json() == seen(["one", "two words", "three words here"]).as_json()


def test_a_histogram_has_the_threshold_free_shape():
    assert funnel.histogram([0, 1, 2, 3], bins=2)[1] == [2, 2]


def test_a_host_is_told_without_its_www():
    assert funnel.host_of("https://www.a.example:80/b") == "a.example"
    assert funnel.host_of(None) == funnel.host_of("http://[broken") == ""


def test_columns_of_the_data_set_follow_the_steps():
    from hfllm.web.outcome import output

    schema = output.schema_of({"words": Words()}, tokens=True)
    assert schema.field("scores").type.field("words").type.field("words").type == "double"
    assert "contaminated_by" not in schema.names


def test_temporary_names_are_of_this_process(tmp_path):
    from hfllm.web.run import store

    assert str(os.getpid()) in store.temporary_name(tmp_path / "a.parquet").name
