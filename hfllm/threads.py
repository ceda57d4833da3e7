"""How many threads should PyTorch use here? As many as cores are idle: two threads on a busy core are slower than one.

    threads.choose(None)  ->  sets torch's threads from the idle cores and prints which number it took

The load average would still count the stage that just ended, so the idle time of a moment is measured instead."""

from __future__ import annotations

import os

from hfllm import processes

SAMPLE_SECONDS = 0.3
SHARED_BY = "HFLLM_CORES_SHARED_BY"  # environment variable: how many stages `hfllm run --jobs` has running here


def idle_cores() -> int:
    """Cores that this process may use and that nobody used during the last moment; at least 1."""
    import psutil

    cores = psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    physical = psutil.cpu_count(logical=False) or cores  # a core's second hyper-thread does not help matrix products
    idle = cores * (1 - psutil.cpu_percent(interval=SAMPLE_SECONDS) / 100)
    ours = min(allowed, physical) // int(os.environ.get(SHARED_BY, "1"))
    return max(1, min(ours, round(idle)))


def choose(threads: int | None) -> int:
    """Give torch `threads` threads; when None, an equal share of the idle cores for each process on this machine.

    With a GPU nothing is changed unless `threads` is given. Returns the number in use."""
    import torch

    if threads is None and torch.accelerator.is_available():
        return torch.get_num_threads()
    chosen = threads or max(1, idle_cores() // processes.count_on_this_machine())
    torch.set_num_threads(chosen)
    if processes.is_first():
        print(f"threads: {chosen} per process ({'the recipe says so' if threads else 'as many as cores are idle'})")
    return chosen
