"""Which of Linux's own walls can a process put around itself? Namespaces, a folder tree of its own, no capabilities.

Everything here works without privileges where the system allows it; what it forbids raises OSError.
Sources: the manual pages namespaces(7), user_namespaces(7), pivot_root(2), capabilities(7), prctl(2)."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 262144
ST_KEPT = MS_NOSUID | MS_NODEV | MS_NOEXEC  # flags of statvfs with the same numbers; a remount may not lose them
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECUREBITS, PR_SET_NO_NEW_PRIVS = 1, 4, 28, 38
SECBITS_NO_ROOT = 0b101111  # exec as user 0 gives no capabilities, and nothing changes that again
CAPABILITIES_VERSION_3 = 0x20080522
SIGKILL = 9

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int) -> int:
    """What a call of the C library returned, or the OSError it stands for."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, value: int) -> None:
    """One attribute of this process; the unused arguments must be zero, and as wide as a register."""
    check(libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def enter_namespaces() -> None:
    """Own mounts, processes (from the next fork on), network and shared memory; unless root, by an own user space."""
    spaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        check(libc.unshare(spaces))
        return
    check(libc.unshare(spaces | CLONE_NEWUSER))
    for name, text in (("uid_map", f"{user} {user} 1"), ("setgroups", "deny"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def change_root(root: str, readable: list[str], box: str, box_options: str) -> None:
    """Show only the `readable` paths, read-only, and the empty folder `box`, which lies in memory."""
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m,nr_inodes=2000")
    for path in readable:
        _show(path, root + path)
    os.makedirs(root + box)
    os.symlink(box, root + "/tmp")
    _mount(None, root, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV)
    _mount("tmpfs", root + box, "tmpfs", MS_NOSUID | MS_NODEV, box_options)
    os.chdir(root)
    check(libc.pivot_root(b".", b"."))
    check(libc.umount2(b".", MNT_DETACH))
    os.chdir(box)


def _show(path: str, place: str) -> None:
    if os.path.lexists(place):  # below a path that is shown already
        return
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), place)
        return
    if os.path.isdir(path):
        os.mkdir(place)
    else:
        os.close(os.open(place, os.O_CREAT, 0o644))
    _mount(path, place, None, MS_BIND | MS_REC)
    kept = os.statvfs(place).f_flag & ST_KEPT
    _mount(None, place, None, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | kept)


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    names = [text.encode() if text is not None else None for text in (source, target, kind)]
    check(libc.mount(*names, ctypes.c_ulong(flags), options.encode() or None))


def become_user(user: int) -> None:
    """Give up root for a user that owns nothing and that no other program runs as."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def drop_capabilities() -> None:
    """None now and none by any later exec, setuid programs included."""
    if os.geteuid() == 0:
        prctl(PR_SET_SECUREBITS, SECBITS_NO_ROOT)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()))


def die_with_parent() -> None:
    """To be called after the user changed, which resets it."""
    prctl(PR_SET_PDEATHSIG, SIGKILL)


def hide_memory() -> None:
    """Processes of the same user can neither trace this one nor read its files below /proc."""
    prctl(PR_SET_DUMPABLE, 0)
