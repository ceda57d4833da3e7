"""How does a process give up what a program under test must not have? Limits, user, capabilities, files, system calls.

What is possible differs from system to system; `confine` does what it can and says what it did."""

from __future__ import annotations

import os
import resource
import sys

if sys.platform == "linux":
    from hfllm.confined import filters, kernel

Job = dict  # what confined/outside.py wrote: see its `execute`
FIRST_USER, USERS = 60000, 5000  # chosen by us: above people, below `nobody`; one for each sandbox that runs


def sandbox_user() -> int:
    """A user of its own for every sandbox, so that limits per user count nobody else's processes."""
    return FIRST_USER + os.getpid() % USERS


def confine(job: Job, user: int | None, box: str) -> list[str]:
    """Confine this process and all that it starts; `user` is None where there is no other user to become.

    Returns the names of what is in force, of which hfllm.sandbox.protections makes sentences."""
    active = ["namespaces"] if job["namespaces"] else []
    if sys.platform == "linux":
        if user is not None:
            kernel.become_user(user)
            active.append("user")
        kernel.drop_capabilities()
        active += _kernel_filters(job, box)
        kernel.die_with_parent()
    return active + _set_limits(job, active)


def _kernel_filters(job: Job, box: str) -> list[str]:
    active = []
    if not job["namespaces"]:
        try:
            filters.restrict_files(job["readable"], [box, *job["devices"]])
            active.append("landlock")
        except OSError:  # a kernel without it; `protections` says so
            pass
    try:
        filters.refuse_calls(alone=not job["namespaces"])
        active.append("seccomp")
    except OSError:
        pass
    return active


def _set_limits(job: Job, active: list[str]) -> list[str]:
    wanted = {
        "core": (resource.RLIMIT_CORE, 0),
        "cpu": (resource.RLIMIT_CPU, job["cpu_seconds"]),
        "file_size": (resource.RLIMIT_FSIZE, job["disk_bytes"]),
        "open_files": (resource.RLIMIT_NOFILE, job["open_files"]),
        "memory": (resource.RLIMIT_AS, job["memory_bytes"]),
    }
    if "namespaces" in active or {"seccomp", "user"} <= set(active):
        wanted["processes"] = (resource.RLIMIT_NPROC, job["processes"])
    elif "seccomp" not in active and os.geteuid() != 0:
        # counts all processes of the user, so that only "none at all" means the same everywhere; root is exempt
        wanted["no_processes"] = (resource.RLIMIT_NPROC, 0)
    return [name for name, (kind, value) in wanted.items() if _limit(kind, value)]


def _limit(kind: int, value: int) -> bool:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (value, value + 1 if kind == resource.RLIMIT_CPU and value < hard else value))
    except (ValueError, OSError):  # macOS does not limit address space
        return False
    return True
