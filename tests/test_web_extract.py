"""The step `extract`: what a page gives depends on that page alone, and none stops the run."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from datatrove.data import Document

from hfllm.errors import UserMistake
from hfllm.web.steps.extract import Extract
from hfllm.web.text import extraction
from hfllm.web.text.extraction import ExtractionError, Options, text_of

FIRST = "The harbour of the old town froze for the first time in forty years, and the ferries stayed where they were."
SECOND = "Children skated between the boats, while the owners of the cafés carried their tables out onto the ice."
NOTICE = (
    "We use cookies to make this site work, to measure how it is used, and to show advertisements that you may like."
)
MENU = "<nav><ul><li><a href='/'>Home</a></li><li><a href='/about'>About us</a></li></ul></nav>"


def slow(attributes: int) -> str:
    """The parser compares each attribute with all before it."""
    return f"<html><body><p {' '.join(f'a{n}=1' for n in range(attributes))}>x</p></body></html>"


SLOW = slow(8_000)  # 0.3 CPU seconds


@pytest.fixture(autouse=True)
def _one_child_at_most():
    yield
    assert len(children()) <= 1


@pytest.fixture(scope="module", autouse=True)
def _none_in_the_end():
    yield
    extraction.close()
    assert children() == []


def children(parent: psutil.Process | None = None) -> list[psutil.Process]:
    """The children that extract, and those of any kind that nobody waited for."""
    found = (parent or psutil.Process()).children()
    return [
        child
        for child in found
        if child.status() == psutil.STATUS_ZOMBIE or "extraction import serve" in str(child.cmdline())
    ]


def page(*paragraphs: str) -> str:
    return f"<html><body>{MENU}<article>{''.join(f'<p>{text}</p>' for text in paragraphs)}</article></body></html>"


def document(text: str, html: bool = True) -> Document:
    return Document(text=text, id="1", metadata={"html": html})


def failure(html: str, **options) -> str:
    with pytest.raises(ExtractionError) as raised:
        text_of(html, Options(**options))
    return raised.value.reason


def test_text_without_menu():
    assert text_of(page(FIRST, SECOND)) == f"{FIRST}\n{SECOND}"


def test_the_step_measures_and_judges():
    step, seen = Extract(), document(page(FIRST, SECOND))
    scores = step.measure(seen)
    assert (seen.text, seen.metadata["html"]) == (f"{FIRST}\n{SECOND}", False)
    assert scores == {"characters": len(FIRST) + 1 + len(SECOND)}
    assert step.judge(scores) is None


def test_text_passes_untouched():
    extraction.close()
    seen = document("<p>1 < 2</p>", html=False)
    assert Extract().measure(seen) == {"characters": 12}
    assert seen.text == "<p>1 < 2</p>"
    assert extraction._idle == []  # no process was started for it


def test_a_page_without_text_is_empty():
    step = Extract()
    assert step.judge(step.measure(document("<html><body></body></html>"))) == "empty"


def test_too_large_is_decided_by_the_page():
    assert failure(page(FIRST), max_html_characters=100) == "too_large"
    assert Extract(max_html_characters=100).measure(document(page(FIRST))) == {"failed": "too_large"}
    assert Extract().judge({"failed": "too_large"}) == "too_large"


def test_the_pages_before_change_nothing():
    mine = page(FIRST, NOTICE, SECOND)
    alone = text_of(mine)
    for number in range(50):
        text_of(page(f"{number}: {SECOND}", NOTICE, NOTICE))
    assert text_of(mine) == text_of(mine) == alone
    assert NOTICE in alone


def test_a_segment_repeated_on_one_page_is_dropped():
    html = page(FIRST, NOTICE, "One.", NOTICE, "Two.", NOTICE, "Three.", NOTICE, SECOND)
    assert text_of(html).count(NOTICE) == 3
    assert text_of(html, Options(deduplicate=False)).count(NOTICE) == 4


def test_options_reach_trafilatura():
    html = page(FIRST, f"{SECOND} See <a href='https://ice.example/map'>the map</a> for the thickness of the ice.")
    html = html.replace("</article>", "<table><tr><td>thickness</td><td>30 cm</td></tr></table></article>")
    assert "30 cm" in text_of(html)
    assert "30 cm" not in text_of(html, Options(include_tables=False))
    assert "ice.example" not in text_of(html)
    assert "ice.example/map" in text_of(html, Options(include_links=True))


def test_nul_and_lone_surrogates():
    text = text_of(page(f"{FIRST}\0{FIRST}", SECOND.replace("tables", "ta\ud800bles")))
    assert SECOND.replace("tables", "ta�bles") in text
    assert text.encode().count(FIRST.encode()) == 2


def test_a_declared_encoding_of_the_past():
    html = '<?xml version="1.0" encoding="iso-8859-1"?>' + page(FIRST, SECOND)
    assert "cafés" in text_of(html)


def test_a_slow_page_is_given_up_and_the_next_is_read():
    assert failure(SLOW, max_cpu_seconds=0.1) == "timeout"
    assert text_of(page(FIRST)) == FIRST


def test_cpu_seconds_are_no_seconds_on_the_clock():
    text_of(page(FIRST))
    [child] = children()
    child.suspend()  # as on a machine with other things to do
    threading.Timer(1, child.resume).start()
    assert text_of(page(SECOND), Options(max_cpu_seconds=0.5)) == SECOND


def test_a_killed_child_is_replaced():
    text_of(page(FIRST))
    [child] = children()
    child.kill()
    assert text_of(page(SECOND)) == SECOND
    assert children() != [child]


def test_a_page_is_read_again_when_its_child_is_killed():
    alone = text_of(SLOW)
    [child] = children()
    threading.Timer(0.1, child.kill).start()
    assert text_of(SLOW) == alone
    assert children() != [child]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_limited(monkeypatch):
    monkeypatch.setattr(extraction, "MEMORY_BYTES", 128 * 2**20)
    extraction.close()
    assert text_of(page(FIRST)) == FIRST
    assert failure(f"<html><body><p {'a=1 ' * 1_200_000}>x</p></body></html>") == "memory"
    assert text_of(page(SECOND)) == SECOND
    extraction.close()


STAND_IN = """from multiprocessing.connection import Connection
import os
connection = Connection({connection})
connection.send_bytes(b"null")
connection.recv_bytes()
"""


@pytest.fixture
def answering(monkeypatch):
    """Children that do as this code says when they are asked for their first page."""
    extraction.close()
    yield lambda code: monkeypatch.setattr(extraction, "START", STAND_IN + code)
    monkeypatch.undo()
    extraction.close()


class Touch:
    """Unpickled, it makes the file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_that_a_child_says_is_unpickled(answering, tmp_path):
    evil = tmp_path / "evil"
    answering(f"connection.send_bytes({pickle.dumps(Touch(str(evil)))!r}); connection.recv_bytes()")
    assert failure(page(FIRST)) == "crash"
    assert not evil.exists()


def test_a_child_that_dies_in_the_middle_of_its_answer(answering):
    answering(r"os.write({connection}, b'\x00\x00\x01\x00[\"te')")  # 256 bytes are announced
    assert failure(page(FIRST)) == "crash"


def test_an_interrupted_page_is_not_answered_later():
    text_of(page(FIRST))
    previous = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(KeyboardInterrupt):
        text_of(SLOW)
    signal.signal(signal.SIGALRM, previous)
    assert text_of(page(SECOND)) == SECOND


def test_a_forked_process_has_its_own_child():
    text_of(page(FIRST))
    pid = os.fork()
    if pid == 0:
        right = text_of(page(SECOND)) == SECOND
        extraction.close()
        os._exit(0 if right else 1)
    assert text_of(page(FIRST)) == FIRST
    assert os.waitpid(pid, 0)[1] == 0


def test_inside_the_daemons_of_a_pool():
    from multiprocess import get_context

    pool = get_context("forkserver").Pool(2)
    assert pool.map(text_of, [page(FIRST), page(SECOND)], chunksize=1) == [FIRST, SECOND]
    extractors = [child for process in psutil.Process().children(recursive=True) for child in children(process)]
    assert extractors
    pool.close()
    pool.join()
    assert not any(_runs(child.pid) for child in extractors)


@pytest.mark.parametrize("doing", ["", "extraction.text_of(slow(60_000))"], ids=["idle", "busy"])
def test_it_dies_with_its_parent(doing):
    code = f"""
import os, signal, threading
from hfllm.web.text import extraction
from tests.test_web_extract import page, slow
extraction.text_of(page("Hello."))
print(extraction._idle[0].process.pid, flush=True)
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGKILL)).start()
{doing or "signal.pause()"}
"""
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    deadline = time.monotonic() + 20
    while _runs(int(killed.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(int(killed.stdout))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # process 1 of a container may not reap it
    except psutil.NoSuchProcess:
        return False


def test_what_is_needed_is_tried():
    [need] = Extract().needs()
    assert need.found


def test_what_was_measured_depends_on_version_and_options():
    usual = Extract().measured_by()
    assert usual["trafilatura"][0].isdigit()
    assert Extract(favor="recall").measured_by() != usual
    assert Extract(max_lost=0.1).measured_by() == usual


@pytest.mark.parametrize("options", [{"favor": "recal"}, {"max_cpu_seconds": 0}, {"max_html_characters": -1}])
def test_options_that_make_no_sense(options):
    with pytest.raises(UserMistake, match=next(iter(options))):
        Extract(**options).check()
