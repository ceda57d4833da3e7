"""The stage `data` from WARC files to a data set: the same whoever runs it, and whatever happens on the way."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from hfllm.errors import UserMistake
from tests import fake_slurm, web_case
from tests.web_case import STEPS, funnel, rows

INPUT = "crawl/*.warc.gz"


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    return web_case.crawl(tmp_path_factory.mktemp("crawl"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory, crawl):
    """What one undisturbed worker makes of the crawl."""
    folder = tmp_path_factory.mktemp("clean")
    numbers = web_case.run(folder, **whole(crawl))
    return folder, numbers


def whole(crawl):
    """The arguments of a run with all steps."""
    inputs, truth = [str(crawl / "*.warc.gz")], str(crawl / "truth.jsonl")
    return {"inputs": inputs, "truth": truth, "steps": web_case.steps(crawl)}


def again(tmp_path, crawl, clean, **options):
    """Another run over the same crawl gives the same rows and the same funnel."""
    web_case.run(tmp_path, **whole(crawl), **options)
    assert rows(tmp_path) == rows(clean[0])
    assert funnel(tmp_path) == funnel(clean[0])


def test_each_step_finds_what_the_small_world_planted(clean):
    numbers = clean[1]
    assert numbers["recall"] == {
        "read": 1.0,
        "url_lists": 1.0,
        "extract": pytest.approx(1, abs=0.1),
        "language": 1.0,
        "quality": pytest.approx(1, abs=0.1),
        "minhash": pytest.approx(1, abs=0.2),
        "pii": 1.0,
        "decontaminate": 1.0,
    }
    assert numbers["precision"]["decontaminate"] == 1.0
    assert numbers["precision"]["url_lists"] == numbers["precision"]["language"] == 1.0


def test_every_record_is_a_document_or_was_dropped_for_a_reason(clean):
    content = funnel(clean[0])
    assert content["records"] == content["documents"] + sum(content["not_pages"].values())
    dropped = sum(sum(step["dropped"].values()) for step in content["steps"])
    assert content["documents"] == content["output"]["documents"] + dropped
    assert len(rows(clean[0])) == content["output"]["documents"] > 10


def test_the_data_set_loads_with_where_it_is_from_and_its_scores(clean):
    from datasets import load_dataset

    dataset = load_dataset(str(clean[0] / "out"), split="train")
    row = dataset[0]
    assert row["url"].startswith("https://www.")
    assert row["date"].startswith("2025-01-01T")
    assert row["language"] == "en"
    assert row["language_score"] > 0.5
    assert row["characters"] == len(row["text"])
    assert row["scores"]["gopher_repetition"]["dup_line_frac"] < 0.3


def test_a_dropped_duplicate_is_shown_with_the_page_that_was_kept(clean):
    step = next(step for step in funnel(clean[0])["steps"] if step["name"] == "minhash")
    kept = {row["url"] for row in rows(clean[0])}
    assert step["examples"]
    for example in step["examples"]:
        assert example["twin"]["url"] in kept
        assert example["url"] not in kept
        assert example["twin"]["text"][:40] == example["text"][:40]


def test_the_page_is_written(clean):
    page = (clean[0] / "out" / "funnel.html").read_text()
    assert "gopher_quality" in page


def test_two_workers_make_the_same_as_one(tmp_path, crawl, clean):
    again(tmp_path, crawl, clean, workers=2)


@pytest.mark.slow
def test_a_busy_machine_makes_the_same(tmp_path, crawl, clean):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * (os.cpu_count() or 1))]
    try:
        again(tmp_path, crawl, clean, workers=2)
    finally:
        [process.kill() for process in busy]
        [process.wait() for process in busy]


def test_ray_makes_the_same(tmp_path, crawl, clean):
    pytest.importorskip("ray")
    try:
        again(tmp_path, crawl, clean, workers=2, executor="ray", executor_options={"mem_per_cpu_gb": 0.2})
    finally:
        import ray

        ray.shutdown()


def test_slurm_makes_the_same_and_its_script_asks_for_what_the_recipe_says(tmp_path, crawl, clean, monkeypatch):
    fake_slurm.install(tmp_path / "bin")
    folders = [str(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
    options = {"partition": "cpu", "time": "20:00:00", "mem_per_cpu_gb": 4, "env_command": "export FROM_RECIPE=1"}
    again(tmp_path, crawl, clean, workers=1, executor="slurm", executor_options=options)
    script = (tmp_path / "bin" / "submitted" / "1.slurm").read_text()
    for line in ("--partition=cpu", "--time=20:00:00", "--mem-per-cpu=4G", "--array=0-1%1", "--cpus-per-task=1"):
        assert f"#SBATCH {line}\n" in script
    assert "export FROM_RECIPE=1" in script
    assert "launch_pickled_pipeline" in script


def written(folder):
    """When each file of the work folder was written."""
    return {file: file.stat().st_mtime_ns for file in (folder / "out.work").rglob("*.parquet")}


def test_another_threshold_reads_no_page_again_and_gives_what_a_fresh_run_gives(tmp_path, crawl):
    stricter = [{"gopher_quality": {"min_stop_words": 5}} if step == "gopher_quality" else step for step in STEPS]
    files = [str(crawl / "*.warc.gz")]
    web_case.run(tmp_path / "twice", files)
    before = written(tmp_path / "twice")
    web_case.run(tmp_path / "twice", files, steps=stricter)
    after = written(tmp_path / "twice")
    assert {file: after[file] for file in before} == before
    assert {file.parent.name[0] for file in after.keys() - before.keys()} == {"3", "f"}
    web_case.run(tmp_path / "once", files, steps=stricter)
    assert rows(tmp_path / "twice") == rows(tmp_path / "once")
    assert funnel(tmp_path / "twice") == funnel(tmp_path / "once")


def test_one_more_file_is_processed_alone(tmp_path, crawl):
    first, second = sorted(crawl.glob("*.warc.gz"))
    web_case.run(tmp_path / "twice", [str(second)])
    before = written(tmp_path / "twice")
    web_case.run(tmp_path / "twice", [str(first), str(second)])
    after = written(tmp_path / "twice")
    assert {file: after[file] for file in before} == before
    new = {file.name.partition("-")[0] + file.parent.name[:2] for file in after.keys() - before.keys()}
    assert {name for name in new if name.endswith(("1-", "2-"))} == {"small1-", "small2-"}
    assert len([file for file in after.keys() - before.keys() if file.parent.name.startswith("1-")]) == 1
    web_case.run(tmp_path / "once", [str(first), str(second)])
    assert rows(tmp_path / "twice") == rows(tmp_path / "once")


PLACES = ["1-*", "2-*", "2-signatures-*", "2-groups-*", "3-*", "final-*"]


def test_killed_in_each_pass_it_goes_on_and_makes_the_same(tmp_path, crawl, clean):
    recipe = tmp_path / "data.yaml"
    values = {"output_dir": "out", "workers": 2} | whole(crawl)
    recipe.write_text(yaml.safe_dump(values))
    for place in PLACES:
        process = start(recipe)
        while not list((tmp_path / "out.work").glob(place)):
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "out" / "run.json").exists()
    process = start(recipe)
    told = process.communicate()[0]
    assert process.returncode == 0, told
    assert told.splitlines()[0] == "language: py3langid 0.4.0"
    assert rows(tmp_path) == rows(clean[0])


def start(recipe):
    command = [sys.executable, "-m", "hfllm.stages.data", recipe.name]
    return subprocess.Popen(
        command, cwd=recipe.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def texts_file(path, texts):
    lines = [json.dumps({"text": text, "url": f"https://a.example/{number}"}) for number, text in enumerate(texts)]
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def test_a_step_that_loses_nearly_all_stops_the_run(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("def never(text):\n    return 'no'\n")
    file = texts_file(tmp_path / "a.jsonl", ["some text"] * 150)
    with pytest.raises(UserMistake, match=r"dropped 100 of the first 100 pages .*\n  \(no: 100\)"):
        web_case.run(tmp_path, [file], steps=[f"{mine}:never"])
    with pytest.raises(UserMistake, match="no page is left of 150"):
        web_case.run(tmp_path, [file], steps=[{f"{mine}:never": {"max_lost": 1}}])


def test_a_threshold_that_is_tried_on_kept_scores_is_watched_too(tmp_path):
    file = texts_file(tmp_path / "a.jsonl", [f"text number {number} of these" for number in range(150)])
    step = {"min_doc_words": 1, "min_avg_word_length": 1, "min_stop_words": 0, "min_alpha_words_ratio": 0}
    assert web_case.run(tmp_path, [file], steps=[{"gopher_quality": step}])["documents"] == 150
    with pytest.raises(UserMistake, match="gopher_short_doc: 100"):
        web_case.run(tmp_path, [file], steps=[{"gopher_quality": step | {"min_doc_words": 5000}}])


def test_near_duplicates_are_watched_too(tmp_path):
    file = texts_file(tmp_path / "a.jsonl", ["the same old text"] * 150)
    with pytest.raises(UserMistake, match="step minhash dropped 99 of the first 100"):
        web_case.run(tmp_path, [file], steps=[{"minhash": {"max_lost": 0.1, "ngram": 2}}])


def test_behind_a_mistake_no_other_file_is_begun(tmp_path, monkeypatch):
    mine = tmp_path / "mine.py"
    mine.write_text("def no(text):\n    open('seen', 'a').write(text[0])\n    return 'no'\n")
    files = [texts_file(tmp_path / f"{name}.jsonl", [f"{name} page"] * 30) for name in "abc"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserMistake, match="dropped 30 of the first 30"):
        web_case.run(tmp_path, files, steps=[f"{mine}:no"])
    assert set((tmp_path / "seen").read_text()) == {"a"}


def test_copies_are_told_behind_later_passes(tmp_path):
    file = texts_file(tmp_path / "a.jsonl", ["a text that stands three times"] * 3 + ["and one that stands once only"])
    web_case.run(tmp_path, [file], steps=[{"minhash": {"ngram": 2}}, "pii"])
    assert [row["copies"] for row in rows(tmp_path)] == [3, 1]


def test_filters_with_a_hyphen_in_their_file_are_all_run(tmp_path):
    mine = tmp_path / "my-filters.py"
    mine.write_text("def has(text, *, word):\n    return word if word in text else None\n")
    file = texts_file(tmp_path / "a.jsonl", ["red", "green", "blue"])
    chain = [{f"{mine}:has": {"word": "red"}}, {f"{mine}:has": {"word": "green"}}]
    numbers = web_case.run(tmp_path, [file], steps=chain)
    assert numbers["dropped"] == {f"{mine}:has": 1, f"{mine}:has-2": 1}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.jsonl", "my-filters.py", "out", "out.work"]


def test_the_truth_may_be_asked_for_later(tmp_path, crawl, clean):
    arguments = whole(crawl)
    web_case.run(tmp_path, **arguments | {"truth": None})
    assert web_case.run(tmp_path, **arguments)["recall"] == clean[1]["recall"]


def test_a_file_of_which_nothing_is_left_does_not_spoil_the_data_set(tmp_path):
    from datasets import load_dataset

    files = [texts_file(tmp_path / "a.jsonl", ["short"]), texts_file(tmp_path / "b.jsonl", ["long enough"])]
    mine = tmp_path / "mine.py"
    mine.write_text("def short(text):\n    return 'short' if len(text) < 6 else None\n")
    web_case.run(tmp_path, files, steps=[f"{mine}:short"])
    assert load_dataset(str(tmp_path / "out"), split="train")["text"][:] == ["long enough"]


def test_flags_are_told_with_the_words_that_were_found(clean):
    step = next(step for step in funnel(clean[0])["steps"] if step["name"] == "decontaminate")
    [(place, count)] = step["flagged"].items()
    assert place.endswith("problems.jsonl/train")
    assert count == len([row for row in rows(clean[0]) if row["contaminated_by"]]) > 0
    assert "red apples and" in step["examples"][0]["lines"][0][1]


def test_a_file_given_twice_is_read_once(tmp_path, monkeypatch):
    texts_file(tmp_path / "a.jsonl", ["one", "two"])
    monkeypatch.chdir(tmp_path)
    numbers = web_case.run(tmp_path, ["a.jsonl", "*.jsonl", str(tmp_path / "a.jsonl")], steps=["pii"])
    assert (numbers["files"], numbers["documents"]) == (1, 2)
    assert {row["file"] for row in rows(tmp_path)} == {"a.jsonl"}


def test_html_does_not_go_into_the_text(tmp_path, crawl):
    with pytest.raises(UserMistake, match="write  - extract"):
        web_case.run(tmp_path, [str(crawl / "*.warc.gz")], steps=["gopher_quality"])


def test_a_worker_that_is_killed_ends_the_run_and_loses_only_its_file(tmp_path):
    """As the system does when memory runs out. datatrove's own pool would wait for ever."""
    mine = tmp_path / "mine.py"
    mine.write_text(
        "import os, pathlib, signal\n\n"
        "def deadly(text):\n"
        "    if text == 'now' and pathlib.Path('armed').exists():\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "armed").touch()
    names = {"a": ["fine"], "b": ["now"], "c": ["fine, too"]}
    files = [texts_file(tmp_path / f"{name}.jsonl", texts) for name, texts in names.items()]
    values = {"output_dir": "out", "workers": 2, "inputs": files, "steps": [f"{mine}:deadly"]}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(values))
    process = start(tmp_path / "data.yaml")
    assert "a worker was killed" in process.communicate(timeout=60)[0]
    (tmp_path / "armed").unlink()
    process = start(tmp_path / "data.yaml")
    assert process.communicate(timeout=60)[0] == ""
    assert [row["text"] for row in rows(tmp_path)] == ["fine", "now", "fine, too"]


def test_of_a_run_that_is_killed_no_worker_is_left(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("import time\n\ndef slow(text):\n    time.sleep(300)\n")
    files = [texts_file(tmp_path / f"{name}.jsonl", ["x"]) for name in "ab"]
    values = {"output_dir": "out", "workers": 2, "inputs": files, "steps": [f"{mine}:slow"]}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(values))
    process = start(tmp_path / "data.yaml")
    while len(list((tmp_path / "out.work").glob("1-*/.*"))) < 2:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=20)  # the end of what it writes: nobody else holds the pipe


def test_two_runs_do_not_work_in_one_folder(tmp_path):
    from hfllm.web.run.crawl import alone_in

    file = texts_file(tmp_path / "a.jsonl", ["x"])
    with alone_in(tmp_path / "out.work"), pytest.raises(UserMistake, match="another run works"):
        web_case.run(tmp_path, [file], steps=["pii"])


def test_buckets_that_were_not_done_are_noticed(tmp_path, monkeypatch):
    """A cluster may kill a task for its time or memory; without its pairs, duplicates would stay for good."""
    from hfllm.web.run import executors

    file = texts_file(tmp_path / "a.jsonl", ["the same old text"] * 5)
    run = executors.LocalExecutor.run
    monkeypatch.setattr(executors.LocalExecutor, "run", lambda self: None if self.tasks == 14 else run(self))
    for _ in range(2):
        with pytest.raises(UserMistake, match="14 of 14 tasks did not come to their end"):
            web_case.run(tmp_path, [file], steps=[{"minhash": {"ngram": 2}}])
    monkeypatch.undo()
    assert web_case.run(tmp_path, [file], steps=[{"minhash": {"ngram": 2}}])["documents"] == 1


def test_a_queue_that_gives_no_answer_is_asked_again(tmp_path, monkeypatch):
    from hfllm.web.run import executors

    (tmp_path / "squeue").write_text(
        "#!/bin/sh\nn=$(cat count 2>/dev/null || echo 0)\necho $((n + 1)) > count\n"
        "[ $n -lt 2 ] && echo 'Unable to contact slurm controller' >&2 && exit 1\n"
        "[ $n -lt 3 ] && echo '7 cpu running'\nexit 0\n"
    )
    (tmp_path / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(executors, "SECONDS_BETWEEN_QUESTIONS", 0)
    monkeypatch.chdir(tmp_path)
    executors.wait_for_slurm("7")
    assert (tmp_path / "count").read_text() == "4\n"
    monkeypatch.setattr(executors, "UNANSWERED_QUESTIONS", 1)
    (tmp_path / "count").unlink()
    with pytest.raises(UserMistake, match="Unable to contact"):
        executors.wait_for_slurm("7")


def test_a_file_of_which_no_page_is_left_does_not_trouble_the_others(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("def poor(text):\n    return 'poor' if 'poor' in text else None\n")
    files = [texts_file(tmp_path / f"{kind}.jsonl", [f"a {kind} text"] * 3) for kind in ("poor", "rich")]
    numbers = web_case.run(tmp_path, files, steps=[f"{mine}:poor", {"minhash": {"ngram": 2}}])
    assert numbers["dropped"] == {f"{mine}:poor": 3, "minhash": 2}
    assert [row["text"] for row in rows(tmp_path)] == ["a rich text"]
    with pytest.raises(UserMistake, match="no page is left of 3"):
        web_case.run(tmp_path, files[:1], steps=[{f"{mine}:poor": {"max_lost": 1}}, "minhash", "pii"])


def test_a_filter_of_the_users_that_fails_is_told_with_its_line(tmp_path):
    mine = tmp_path / "mine.py"
    mine.write_text("def broken(text):\n    return text.nothing\n")
    with pytest.raises(UserMistake, match=r"AttributeError.*\(mine.py line 2\)"):
        web_case.run(tmp_path, [texts_file(tmp_path / "a.jsonl", ["x"])], steps=[f"{mine}:broken"])


def test_a_broken_file_stops_no_other_unless_the_recipe_is_strict(tmp_path, crawl, capsys):
    first, second = sorted(crawl.glob("*.warc.gz"))
    cut = tmp_path / "cut.warc.gz"
    cut.write_bytes(first.read_bytes()[:-3000])
    numbers = web_case.run(tmp_path, [str(cut), str(second)])
    assert (numbers["files"], numbers["broken_files"]) == (2, 1)
    assert funnel(tmp_path)["broken"][0]["file"] == "cut.warc.gz"
    assert "broken: cut.warc.gz: after " in capsys.readouterr().out
    with pytest.raises(UserMistake, match=r"cut\.warc\.gz"):
        web_case.run(tmp_path / "strict", [str(cut), str(second)], strict=True)
    with pytest.raises(UserMistake, match=r"cut\.warc\.gz"):  # it was read before, and not strictly
        web_case.run(tmp_path, [str(cut), str(second)], strict=True)


def test_a_page_that_went_missing_between_two_passes_is_noticed(tmp_path, crawl):
    """In = out + dropped: the end counts the rows of each pass against the pages that the pass before it kept."""
    files = [str(crawl / "*.warc.gz")]
    web_case.run(tmp_path, files)
    [second] = (tmp_path / "out.work").glob("2-????????????")
    file = sorted(second.glob("*.parquet"))[0]
    table = pq.read_table(file)
    pq.write_table(table.slice(1), file)
    [final] = (tmp_path / "out.work").glob("final-*")
    [done.unlink() for done in final.glob("*.json")]
    with pytest.raises(RuntimeError, match="should reach the pass"):
        web_case.run(tmp_path, files)


def test_a_line_is_a_line_only_at_a_newline(tmp_path):
    """U+2028 and U+0085 end a line for `str.splitlines`, and stand inside texts of the web."""
    file = tmp_path / "a.jsonl.gz"
    file.write_bytes(gzip.compress('{"text": "one\u2028two\u0085three"}\n'.encode()))
    web_case.run(tmp_path, [str(file)], steps=[{"pii": {"kinds": ["email"]}}])
    assert [row["text"] for row in rows(tmp_path)] == ["one\u2028two\u0085three"]


def test_tokens_are_counted_when_a_tokenizer_is_named(tmp_path):
    from tests import stand_in

    file = texts_file(tmp_path / "a.jsonl", ["some text", "more"])
    tokenizer = str(stand_in.make_tokenizer(tmp_path / "tokenizer"))
    numbers = web_case.run(tmp_path, [file], steps=[{"pii": {"kinds": ["email"]}}], tokenizer=tokenizer)
    assert numbers["tokens"] == sum(row["tokens"] for row in rows(tmp_path)) > 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"steps": []}, "there is none"),
        ({"workers": 0}, "write 1 or more"),
        ({"max_files": -1}, "write 1 or more"),
        ({"executor": "slurm"}, "slurm needs partition and time"),
        ({"truth": "no.jsonl"}, "no such file"),
        ({"executor_options": {"colour": "red"}}, "colour: no such option"),
        ({"executor_options": {"tasks": 1}}, "tasks: no such option"),
        ({"steps": [{"minhash": {"word_tokenizer": "foo"}}]}, "word_tokenizer"),
        ({"steps": [{"extract": None, "favor": "recall"}]}, "must be indented further"),
        ({"paths_file": "https//nowhere"}, "paths_file"),
    ],
)
def test_mistakes_are_told_before_anything_is_read(tmp_path, options, told):
    with pytest.raises(UserMistake, match=told):
        web_case.run(tmp_path, [texts_file(tmp_path / "a.jsonl", ["x"])], **{"steps": ["minhash"], **options})
