"""Which pages do block lists drop, and is their index built once, whole, and from what the lists say?"""

import gzip
import pickle
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from datatrove.data import Document

from hfllm import web
from hfllm.errors import UserMistake
from hfllm.web.steps.url_lists import UrlLists
from hfllm.web.text import url_index


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HFLLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "web" / "url_lists"


@pytest.fixture
def lists(tmp_path):
    """Two categories as UT1 has them, one of them packed."""
    adult, games = tmp_path / "lists" / "adult", tmp_path / "lists" / "more" / "games"
    adult.mkdir(parents=True)
    games.mkdir(parents=True)
    (adult / "domains").write_text("blocked.example\nsub.host.example\n10.0.0.7\n\nxxx\n")
    (adult / "urls").write_text("host.example/bad/page\nhost.example/folder/\nhost.example/q?id=1\n")
    (adult / "usage").write_text("black\n")
    (games / "domains.gz").write_bytes(gzip.compress(b"games.example\nco-games.co.uk\n"))
    return tmp_path / "lists"


def prepared(**options):
    step = UrlLists(**{"words": False, **options})
    step.check()
    step.prepare(Path("not needed"))
    return step


def reason(step, url):
    return step.judge(step.measure(Document(text="", id="1", metadata={"url": url})))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://blocked.example/", "domain"),
        ("https://WWW.Blocked.Example:8080/any?x#y", "domain"),
        ("http://user:word@a.b.blocked.example./", "domain"),
        ("http://notblocked.example/", None),
        ("http://blocked.example.org/", None),
        ("http://sub.host.example/", "subdomain"),
        ("http://deep.sub.host.example/", "subdomain"),
        ("http://host.example/", None),
        ("http://co-games.co.uk/", "domain"),
        ("http://games.example", "domain"),
        ("http://10.0.0.7/a", "domain"),
        ("http://anything.xxx/", "domain"),
        ("http://black/", None),
        ("http://host.example/bad/page", "url"),
        ("https://www.host.example/bad/page/", "url"),
        ("host.example/bad/page", "url"),
        ("http://host.example/bad/page/below", None),
        ("http://host.example/bad", None),
        ("http://host.example/folder", "url"),
        ("http://host.example/q?id=1", "url"),
        ("http://host.example/q?id=2", None),
        ("http://[::1]:80/bad", None),
        ("no url at all", None),
        (f"http://{'a.' * 100_000}blocked.example/", None),
        ("http://\udcff.example/", None),
    ],
)
def test_what_the_lists_drop(lists, url, expected):
    assert reason(prepared(lists=[str(lists)]), url) == expected


def test_pages_without_url_are_kept(lists):
    step = prepared(lists=[str(lists)])
    for metadata in ({}, {"url": None}, {"url": ""}):
        scores = step.measure(Document(text="", id="1", metadata=metadata))
        assert scores == {}
        assert step.judge(scores) is None


def test_the_host_is_told(lists):
    step = prepared(lists=[str(lists)])
    good, bad = (Document(text="", id="1", metadata={"url": url}) for url in ("http://A.example/x", "blocked.example"))
    assert step.measure(good) == {"host": "a.example"}
    assert step.measure(bad) == {"host": "blocked.example", "reason": "domain"}


def test_allowed_hosts_are_kept_with_all_below_and_block_adds_to_the_lists(lists):
    step = prepared(
        lists=[str(lists)], allow=["games.example", "host.example/bad/page"], block=["news.example", "a.io/b"]
    )
    assert reason(step, "http://games.example/") is None
    assert reason(step, "http://news.games.example/") is None
    assert reason(step, "http://host.example/bad/page") is None
    assert reason(step, "http://host.example/folder/") == "url"
    assert reason(step, "http://x.news.example/") == "domain"
    assert reason(step, "http://a.io/b/") == "url"
    assert reason(step, "http://a.io/") is None


def test_names_in_other_scripts_are_compared_as_punycode(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("# mine\nxn--bcher-kva.example\nhttps://Straße.example/weg # no comment here\n", encoding="utf-8")
    step = prepared(lists=[str(file)])
    assert reason(step, "http://bücher.example/") == "domain"
    assert reason(step, "http://xn--bcher-kva.example/") == "domain"


def test_words_of_the_url_as_datatrove_counts_them(lists):
    step = prepared(lists=[str(lists)], words=True)
    soft = "http://a.example/nude-portraits"
    assert reason(step, "http://a.example/chaturbate") == "banned_subword"
    assert reason(step, "http://a.example/my-Porn-Hub-page") == "banned_subword"
    assert reason(step, soft) is None  # one soft word is not enough
    assert reason(step, soft + "-erotic") == "soft_banned_words"
    assert reason(prepared(lists=[str(lists)], words=True, soft_word_threshold=1), soft) == "soft_banned_words"
    assert reason(prepared(lists=[str(lists)], words=True, allow=["a.example"]), soft + "-erotic") is None


def test_the_index_is_named_after_the_lists_and_built_once(lists, cache, tmp_path):
    first = Path(prepared(lists=[str(lists)]).index_file)
    written = first.stat().st_mtime_ns
    assert Path(prepared(lists=[str(lists)]).index_file) == first
    assert first.stat().st_mtime_ns == written
    assert [file.name for file in cache.iterdir()] == [first.name]
    assert len(np.load(first)) == 9  # 4 + 3 + 2 names
    before = UrlLists(lists=[str(lists)]).measured_by()
    (lists / "adult" / "domains").write_text("blocked.example\nanother.example\n")
    assert UrlLists(lists=[str(lists)]).measured_by() != before
    assert Path(prepared(lists=[str(lists)]).index_file) != first


def test_the_digest_is_of_the_content_and_not_of_its_place(lists, tmp_path):
    copy = tmp_path / "elsewhere"
    lists.rename(copy)
    moved = UrlLists(lists=[str(copy)], words=False).measured_by()
    copy.rename(lists)
    assert UrlLists(lists=[str(lists)], words=False).measured_by() == moved
    assert UrlLists(lists=[str(lists)], words=False, allow=["a.example"]).measured_by() != moved


def test_a_tar_archive_of_lists_reads_as_its_folder(lists, tmp_path):
    archive = tmp_path / "lists.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(lists / "adult", "blacklists/adult")
    packed = np.load(prepared(lists=[str(archive)]).index_file)
    assert np.array_equal(packed, np.load(prepared(lists=[str(lists / "adult")]).index_file))


def test_names_given_twice_are_one(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("a.example\nA.example.\nhttp://a.example/\n# a comment\nb.example:80\r\n")
    assert len(np.load(prepared(lists=[str(file)]).index_file)) == 2


def test_no_list_at_all_leaves_block_and_words(tmp_path):
    step = prepared(lists=[], block=["bad.example"])
    assert reason(step, "http://bad.example/") == "domain"
    assert reason(step, "http://good.example/") is None


def test_every_listed_name_is_found_and_no_other(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"h{number}.example\n" for number in range(0, 20_000, 2)))
    index = url_index.opened(str(url_index.build([str(file)], tmp_path)))
    assert [f"h{number}.example" in index for number in range(20_000)] == [True, False] * 10_000


def test_a_step_works_in_another_process(lists):
    step = prepared(lists=[str(lists)])
    code = (
        "import pickle, sys; from datatrove.data import Document; step = pickle.load(sys.stdin.buffer); "
        "print(step.measure(Document(text='', id='1', metadata={'url': 'http://games.example'})))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(step), capture_output=True, check=True)
    assert done.stdout.decode().strip() == "{'host': 'games.example', 'reason': 'domain'}"


def test_builders_at_the_same_time_do_no_harm(lists, cache):
    cache.mkdir(parents=True)
    builders = [threading.Thread(target=url_index.build, args=([str(lists)], cache)) for _ in range(8)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert len(list(cache.iterdir())) == 1
    assert reason(prepared(lists=[str(lists)]), "http://games.example/") == "domain"


def test_a_broken_list_is_told_and_leaves_no_index(lists, cache):
    packed = lists / "more" / "games" / "domains.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(UserMistake, match=r"domains\.gz: the file is broken"):
        prepared(lists=[str(lists)])
    assert list(cache.iterdir()) == []


def test_mistakes_of_the_recipe(tmp_path):
    with pytest.raises(UserMistake, match="nowhere: no such file or folder"):
        prepared(lists=["nowhere"])
    with pytest.raises(UserMistake, match="no file in this folder is named domains"):
        prepared(lists=[str(tmp_path)])
    with pytest.raises(UserMistake, match=r"step url_lists: block: b\.a\.example is allowed by `allow`"):
        prepared(allow=["a.example"], block=["b.a.example"])
    with pytest.raises(UserMistake, match="step url_lists: lists: 'datatrove' is not a list"):
        web.find("url_lists", {"lists": "datatrove"})
    with pytest.raises(UserMistake, match="0 drops all pages"):
        prepared(soft_word_threshold=0)


def test_needs_say_what_is_there(lists):
    found = {need.what: need.found for need in UrlLists(lists=[str(lists), "nowhere", "datatrove"]).needs()}
    assert found[f"block list {lists}"] == "3 files"
    assert found["block list nowhere"] is None
    assert found["block list datatrove"].endswith(".tar.gz")
    assert found["datatrove's banned words"]


@pytest.mark.slow
def test_datatroves_lists_are_built_in_little_memory(cache):
    code = (
        "import resource; from pathlib import Path; from hfllm.web.steps.url_lists import UrlLists; step = UrlLists(); "
        "step.prepare(Path('.')); import numpy as np; print(len(np.load(step.index_file, mmap_mode='r'))); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    names, peak_bytes = map(int, done.stdout.split())
    assert names > 4_500_000
    assert peak_bytes < 250e6
    [index] = cache.iterdir()
    assert index.stat().st_size < 60e6
