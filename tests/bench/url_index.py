"""URL block lists: the step `url_lists` against datatrove's URLFilter, in turn, on the lists that datatrove ships.

    python -m tests.bench.url_index [--urls 40000] [--rounds 2]

Needs tldextract, pyahocorasick and fasteners beside datatrove. Two worker processes at a time, each fresh, read the
same URLs: half from the lists, half made of hosts that are not listed. Datatrove takes lists literally: a page of
x.blocked.blogspot.com is kept where blocked.blogspot.com is listed, and a listed URL (none has a scheme) drops only
pages whose URL has none either. So such URLs are counted apart.

Load: CPU-seconds of a worker until its first answer; build: those of making our index, once per machine. Private: what
a worker has for itself (USS), less that of the same worker before loading. Decisions: how many URLs both drop or both
keep. The project's own limit: the index under 60 MB, shared."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

WORKERS = 2
MB = 1e6
Judge = Callable[[str], "str | None"]  # the reason to drop a page with this URL


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--urls", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HFLLM_CACHE"] = os.environ["HF_HOME"] = folder  # both build what they need anew
        file = Path(folder, "urls.json")
        in_fresh_process(write_urls, file, options.urls)
        print(f"{len(json.loads(file.read_text())):,} URLs, {WORKERS} workers each", flush=True)
        index, seconds = in_fresh_process(build)
        print(f"our index: {Path(index).stat().st_size / MB:.1f} MB, built in {seconds:.1f} CPU-seconds")
        rounds = [{name: workers(name, index, file) for name in ("datatrove", "ours")} for _ in range(options.rounds)]
        kinds = [kind for kind, _ in json.loads(file.read_text())]
    for found in rounds:
        table(found)
    decisions(kinds, rounds[-1])


def table(found: dict[str, list[dict[str, Any]]]) -> None:
    print(f"\n{'':10} {'load CPU-s':>10} {'private MB':>10} {'shared MB':>10} {'URLs/CPU-s':>11}")
    middle = {name: {key: statistics.mean(one[key] for one in runs) for key in NUMBERS} for name, runs in found.items()}
    for name, numbers in middle.items():
        print(
            f"{name:10} " + " ".join(f"{numbers[key]:>{width},.{digits}f}" for key, (width, digits) in NUMBERS.items())
        )
    ours, theirs = middle["ours"], middle["datatrove"]
    print(f"ours / datatrove: {ours['rate'] / theirs['rate']:.1f} x the URLs, ", end="")
    print(f"{theirs['private'] / ours['private']:.0f} x less private memory")


NUMBERS = {"load": (10, 2), "private": (10, 1), "shared": (10, 1), "rate": (11, 0)}  # width and digits of the table


def decisions(kinds: list[str], found: dict[str, list[dict[str, Any]]]) -> None:
    """How many URLs of a kind both drop or both keep, and the reasons where they differ."""
    every = list(zip(kinds, found["datatrove"][0]["reasons"], found["ours"][0]["reasons"], strict=True))
    print()
    for kind in sorted(set(kinds)):
        pairs = [(theirs, ours) for one, theirs, ours in every if one == kind]
        unequal = Counter(pair for pair in pairs if (pair[0] is None) != (pair[1] is None))
        told = "".join(
            f"; {count:,} x {theirs or 'kept'} -> {ours or 'kept'}" for (theirs, ours), count in unequal.items()
        )
        print(f"{kind:28} {len(pairs) - unequal.total():>7,} of {len(pairs):>7,} decisions are equal{told}")


def workers(name: str, index: str, file: Path) -> list[dict[str, Any]]:
    """What two processes measured, both at work at the same time and alive until both have measured their memory."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(WORKERS), context.SimpleQueue()
    running = [context.Process(target=worker, args=(name, index, file, barrier, results)) for _ in range(WORKERS)]
    for process in running:
        process.start()
    found = [results.get() for _ in running]
    for process in running:
        process.join()
    return found


def worker(name: str, index: str, file: Path, barrier: Barrier, results: Any) -> None:
    import datatrove.data  # noqa: F401 - in every worker, whatever it filters
    import numpy  # noqa: F401
    import psutil

    urls = [url for _, url in json.loads(file.read_text())]

    before = psutil.Process().memory_full_info()
    started = time.process_time()
    judge = {"ours": ours, "datatrove": datatroves}[name](index)
    judge("http://first.example/")
    loaded = time.process_time()
    reasons = [judge(url) for url in urls]
    seconds = time.process_time() - loaded
    barrier.wait()
    after = psutil.Process().memory_full_info()
    barrier.wait()
    results.put(
        {
            "load": loaded - started,
            "private": (after.uss - before.uss) / MB,
            "shared": (after.rss - after.uss - before.rss + before.uss) / MB,
            "rate": len(urls) / seconds,
            "reasons": reasons,
        }
    )


def ours(index: str) -> Judge:
    from datatrove.data import Document

    from hfllm.web.steps.url_lists import UrlLists

    step = UrlLists()
    step.index_file = index
    return lambda url: step.judge(step.measure(Document(text="", id="", metadata={"url": url})))


def datatroves(index: str) -> Judge:
    from datatrove.data import Document
    from datatrove.pipeline.filters import URLFilter
    from tldextract import TLDExtract

    block = URLFilter()
    block.tldextractor = TLDExtract(suffix_list_urls=())  # its own would look for the suffix list in the network

    def judge(url: str) -> str | None:
        answer = block.filter(Document(text="", id="", metadata={"url": url}))
        return answer[1] if isinstance(answer, tuple) else None

    return judge


def build() -> tuple[str, float]:
    from hfllm.web.steps.url_lists import UrlLists

    started = time.process_time()
    step = UrlLists()
    step.prepare(Path())
    return step.index_file, time.process_time() - started


def write_urls(file: Path, count: int) -> None:
    """[kind, url] for each."""
    draw = random.Random(0)
    hosts, urls = listed("domains"), listed("urls")
    listed_hosts, listed_urls = draw.sample(sorted(hosts), count * 3 // 8), draw.sample(sorted(urls), count // 8)
    found = [("listed host", f"http://{host}/{path(draw)}") for host in listed_hosts[: count // 4]]
    found += [("host below a listed one", f"http://www.{host}/{path(draw)}") for host in listed_hosts[count // 4 :]]
    found += [("listed URL, as listed", url) for url in listed_urls[: count // 16]]
    found += [("listed URL, with https://", f"https://{url}") for url in listed_urls[count // 16 :]]
    made = (f"{draw.choice(['www.', ''])}{word(draw)}-{word(draw)}.{draw.choice(ENDINGS)}" for _ in range(2 * count))
    found += [("not listed", f"https://{host}/{path(draw)}") for host in made if host not in hosts][: count // 2]
    draw.shuffle(found)
    file.write_text(json.dumps(found))


ENDINGS = ("com", "org", "net", "de", "co.uk", "com.br", "github.io", "info")
HARMLESS = ("news", "river", "bridge", "council", "school", "garden", "weather", "health", "report", "games", "music")
WORDS = (*HARMLESS, "nude", "escort", "adult", "erotic", "sexual")  # the last ones are on lists of words


def word(draw: random.Random) -> str:
    return draw.choice(WORDS) + str(draw.randrange(1000)) * draw.randrange(2)


def path(draw: random.Random) -> str:
    return "/".join("-".join(word(draw) for _ in range(draw.randrange(1, 4))) for _ in range(draw.randrange(1, 4)))


def listed(name: str) -> set[str]:
    from hfllm.web.text import url_index

    [archive] = url_index.files("datatrove")
    with tarfile.open(archive) as tar:
        return {line.decode().strip() for line in tar.extractfile(name)}


def in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


if __name__ == "__main__":
    main()
