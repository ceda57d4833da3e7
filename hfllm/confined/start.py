"""The first process of a sandbox: it builds the walls, then runs the program, or the judge, inside them.

outside.py starts it as  python -c "from hfllm.confined.start import main; main(REPORT)"  with an empty environment.
Reads the job from standard input: 8 bytes of length, a marshalled dictionary, and behind it what only the judge may
see. Writes to the pipe REPORT a line that names the walls, and the verdict."""

from __future__ import annotations

import marshal
import os
import sys

from hfllm.confined.confine import Job, confine, sandbox_user

if sys.platform == "linux":
    from hfllm.confined import kernel

BOX = "/box"  # the program's folder in a folder tree of its own
SIGNALLED = 128  # added to the number of the signal that ended a program, as shells do


def main(report: int) -> None:
    """Never returns: ends with the exit status of the program."""
    job, secret_offset = _read_job()
    sys.path[:] = [*sys.path[1:], *job["packages"]]  # without the folder of this package
    user = sandbox_user() if job["drop_user"] else None
    if sys.platform == "linux":
        kernel.die_with_parent()
    if job["command"] is None:
        from hfllm.confined import judge  # before this package goes out of sight
    box = _enter(job, user)
    with open(job["file"], "wb") as file:
        file.write(job["code"])
    if job["command"] is None:
        judge.run(lambda: confine(job, user, box), box, report, secret_offset)
    if job["namespaces"]:
        active = confine(job, user, box)
        _say(report, active)
        if child := os.fork():
            _end_with(child)
    else:
        _say(report, confine(job, user, box))
    _replace_by_program(job, box)


def _read_job() -> tuple[Job, int]:
    size = int.from_bytes(os.pread(0, 8, 0), "big")
    parts, offset = [], 8
    while part := os.pread(0, 8 + size - offset, offset):
        parts.append(part)
        offset += len(part)
    return marshal.loads(b"".join(parts)), offset


def _enter(job: Job, user: int | None) -> str:
    """Go to the program's folder; with namespaces, in a new process that is the first of its process namespace."""
    folder: str = job["folder"]
    if not job["namespaces"]:
        if user is not None:
            os.chown(folder, user, user)
        os.chdir(folder)
        return folder
    owner = f",uid={user},gid={user}" if user is not None else ""
    options = f"mode=700,size={job['disk_bytes']},nr_inodes={job['files']}{owner}"
    kernel.enter_namespaces()
    kernel.change_root(folder, job["readable"] + job["devices"], BOX, options)
    if child := os.fork():
        _end_with(child)
    kernel.die_with_parent()
    return BOX


def _end_with(child: int) -> None:
    """Wait for one child, take away the dead of others, and end as it ended; all of a namespace ends with its first."""
    while True:
        process, status = os.wait()
        if process == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else SIGNALLED - code)


def _say(report: int, active: list[str]) -> None:
    os.write(report, " ".join(active).encode() + b"\n")


def _replace_by_program(job: Job, box: str) -> None:
    """exec: nothing of this process is left for the program to find."""
    place = os.open(".input", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(".input")
    os.write(place, job["input"])
    os.lseek(place, 0, os.SEEK_SET)
    os.dup2(place, 0)
    os.closerange(3, 256)
    os.execve(job["command"][0], job["command"], job["environment"] | {"HOME": box, "TMPDIR": box})
