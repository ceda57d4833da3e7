"""How does the HTML of a page become text? By trafilatura (Barbaresi, ACL 2021), in a process of its own.

    text_of(html, Options(favor="recall"))

A parser can crash, hang or fill the memory, and no page may stop a crawl. So a child process extracts one page after
the other, and a new one takes its place after a page that it did not survive. What a page gives depends on that page
alone: the limits are its length, bytes of memory, and seconds of CPU counted by the kernel, of which a busy machine
takes none. The two talk in JSON, and nothing that a child says is unpickled: it has read what strangers wrote. Not a
security boundary all the same: see hfllm/sandbox.py for that."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hfllm.web.reading.decoding import clean

FAVORS = ["precision", "recall", "balanced"]
MEMORY_BYTES = 2 * 2**30  # chosen by us: the worst page of 5 million characters that we tried took 1.1 GB
OUT_OF_MEMORY = 86  # the exit status of a child; Python itself takes 0 to 2
START = "import sys; sys.path[:] = {path!r}; from hfllm.web.text.extraction import serve; serve({connection}, {memory})"


@dataclass(frozen=True)
class Options:
    """As the fields of hfllm/web/steps/extract.py, which say what they mean."""

    favor: str = "precision"
    deduplicate: bool = True
    include_tables: bool = True
    include_links: bool = False
    max_cpu_seconds: float = 30
    max_html_characters: int = 5_000_000


class ExtractionError(Exception):
    """Why a page gave no text: too_large, timeout, memory, crash, or `error: ` and the name of an exception."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def text_of(html: str, options: Options | None = None) -> str:
    """The text of a page, empty if it has none. Raises `ExtractionError`, and ImportError without trafilatura."""
    options = options or Options()
    if len(html) > options.max_html_characters:
        raise ExtractionError("too_large")
    child = _take()
    try:
        return _extract(child, html, options)
    except _DiedError as death:
        if death.first_page or death.reason == "timeout":
            raise ExtractionError(death.reason) from None
    try:
        return _extract(_Child(), html, options)  # the pages before may be to blame: a fresh child must say the same
    except _DiedError as death:
        raise ExtractionError(death.reason) from None


def close() -> None:
    """End the children that wait for pages."""
    while _idle:
        _idle.pop().end()


class _DiedError(Exception):
    def __init__(self, reason: str, first_page: bool) -> None:
        self.reason = reason
        self.first_page = first_page


class _Child:
    """A process that extracts, seen from outside."""

    def __init__(self) -> None:
        from multiprocess.util import Finalize  # atexit is not heard in the workers of a pool

        self.connection, theirs = Pipe()
        self.pages = 0
        with theirs:
            code = START.format(path=sys.path, connection=theirs.fileno(), memory=MEMORY_BYTES)
            # not multiprocessing: the workers of a pool are daemons, which may have no children of that kind
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"PYTHONHASHSEED": "0"},
            )
        self.end = Finalize(self, _end, args=(self.connection, self.process), exitpriority=0)
        self._wait_for_imports()

    def ask(self, html: str, options: Options) -> tuple[str, str]:
        """What `serve` answers: ("text", ...) or ("error", ...). Raises `_DiedError`."""
        self.pages += 1
        with suppress(ConnectionError):  # it died: what it left in the connection, or its end, says more
            _send(self.connection, [html, asdict(options)])
        kind, answer = self._receive()
        return kind, answer

    def _wait_for_imports(self) -> None:
        """However long they take: that is the machine's load, and no page's fault."""
        try:
            missing = self._receive()
        except _DiedError:
            status = self.process.returncode
            raise RuntimeError(f"the process that extracts text died while it started (exit status {status})") from None
        if missing:
            self.end()
            raise ImportError(missing)

    def _receive(self) -> Any:
        try:
            return _received(self.connection)
        except ValueError:  # no JSON: this is no longer the child that was started
            self.process.kill()
        except (EOFError, OSError):  # it died, OSError in the middle of an answer
            pass
        status = self.process.wait()
        reasons = {-signal.SIGPROF: "timeout", OUT_OF_MEMORY: "memory"}
        raise _DiedError(reasons.get(status, "crash"), first_page=self.pages <= 1)


_idle: list[_Child] = []  # at most one, unless threads ask at the same time


def _take() -> _Child:
    return _idle.pop() if _idle else _Child()


def _extract(child: _Child, html: str, options: Options) -> str:
    try:
        kind, answer = child.ask(clean(html), options)
    except BaseException:  # an interrupted child would give the text of this page to the next one
        child.end()
        raise
    _idle.append(child)
    if kind == "error":
        raise ExtractionError(f"error: {answer}")
    return answer


def _end(connection: Connection, process: subprocess.Popen[bytes]) -> None:
    connection.close()
    process.kill()
    process.wait()


def _forget() -> None:
    """In a forked process: the children belong to its parent, and must see the end of the connection when it dies."""
    for child in _idle:
        child.connection.close()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)


def serve(connection_number: int, memory_bytes: int) -> None:
    """The child's side: answers pages until the parent closes the connection."""
    connection = Connection(connection_number)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    logging.disable()
    try:
        import trafilatura  # noqa: F401
    except ImportError as error:
        _send(connection, f"trafilatura cannot be imported: {error}")
        return
    _limit_memory(_memory("VmSize") + 2 * memory_bytes)
    threading.Thread(target=_die_with_parent, args=(connection,), daemon=True).start()
    _send(connection, None)
    while True:
        try:
            html, given = _received(connection)
        except (EOFError, ConnectionError):
            return
        options = Options(**given)
        signal.setitimer(signal.ITIMER_PROF, options.max_cpu_seconds)
        answer = _answer(html, options)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if _memory("VmHWM") > memory_bytes:
            os._exit(OUT_OF_MEMORY)
        _send(connection, answer)


def _send(connection: Connection, content: Any) -> None:
    connection.send_bytes(json.dumps(content).encode())


def _received(connection: Connection) -> Any:
    return json.loads(connection.recv_bytes())


def _die_with_parent(connection: Connection) -> None:
    """Also in the middle of a page. Not by PR_SET_PDEATHSIG, which means the thread that started this process."""
    poll = select.poll()
    poll.register(connection.fileno(), 0)  # nothing but its end
    poll.poll()
    os._exit(0)


def _answer(html: str, options: Options) -> tuple[str, str]:
    try:
        return "text", clean(_trafilatura(html, options))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # nothing in this process can be trusted now
    except Exception as error:  # noqa: BLE001 - whatever a parser raises, it is a fact about this page
        return "error", type(error).__name__


def _trafilatura(html: str, options: Options) -> str:
    from trafilatura import extract
    from trafilatura.deduplication import LRUCache
    from trafilatura.settings import LRU_SIZE

    text = extract(
        html,
        favor_precision=options.favor == "precision",
        favor_recall=options.favor == "recall",
        include_comments=False,  # as FineWeb: datatrove's Trafilatura extractor
        include_tables=options.include_tables,
        include_links=options.include_links,
        # with True, trafilatura remembers segments of the pages before, and drops what they had in common
        deduplicate=LRUCache(LRU_SIZE) if options.deduplicate else False,
    )
    return text or ""


def _limit_memory(size: int) -> None:
    """More than a page may take: trafilatura, refused memory, often goes on and gives less text, which nobody sees."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
    with suppress(ValueError, OSError):  # macOS does not limit address space
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _memory(kind: str) -> int:
    """Bytes of this process, VmHWM being what it had at most (getrusage counts its parent's); 0 without /proc."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return 0
    found = re.search(rf"{kind}:\s*(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
