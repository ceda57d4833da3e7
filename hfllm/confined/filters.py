"""Which requests does the kernel refuse a program? seccomp: by system call. Landlock: by file.

Both need no privileges and hold for every process that the program starts. They carry the sandbox where namespaces are
not allowed, as in most containers. Sources: seccomp(2), landlock(7), linux/filter.h, and the system call tables
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux 6.12."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from hfllm.confined.kernel import check, libc

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # classic BPF
NUMBER_AT, MACHINE_AT, FIRST_ARGUMENT_AT, SECOND_ARGUMENT_AT = 0, 4, 16, 24  # offsets in struct seccomp_data
X32_BIT = 0x40000000  # the same calls under other numbers
NEW_NAMESPACES = 0x7E020080
CLONE_THREAD = 0x10000
F_SETOWN, F_SETSIG, F_SETOWN_EX, FIOSETOWN, SIOCSPGRP = 8, 10, 15, 0x8901, 0x8902  # whom a ready file signals, and how

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COMMON = {
    **{"pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429, "fsopen": 430},
    **{"fsmount": 432, "pidfd_open": 434, "pidfd_getfd": 438, "mount_setattr": 442, "memfd_secret": 447},
}
# fmt: off
CALLS = {
    "x86_64": COMMON | {
        "socket": 41, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "unshare": 272, "setns": 308,
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "add_key": 248, "request_key": 249,
        "keyctl": 250, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "memfd_create": 319, "shmget": 29,
        "msgget": 68, "semget": 64, "mq_open": 240, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
        "clone": 56, "clone3": 435, "fork": 57, "vfork": 58, "kill": 62, "tkill": 200, "tgkill": 234, "prlimit64": 302,
        "fcntl": 72, "ioctl": 16,
    },
    "aarch64": COMMON | {
        "socket": 198, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "unshare": 97, "setns": 268,
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "add_key": 217, "request_key": 218,
        "keyctl": 219, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "memfd_create": 279, "shmget": 194,
        "msgget": 186, "semget": 190, "mq_open": 180, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
        "clone": 220, "clone3": 435, "kill": 129, "tkill": 130, "tgkill": 131, "prlimit64": 261,
        "fcntl": 25, "ioctl": 29,
    },
}
# fmt: on
CONDITIONAL = {"clone", "clone3", "fork", "vfork", "kill", "tkill", "tgkill", "prlimit64", "fcntl", "ioctl"}

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant
ALLOW: Instruction = (RETURN, 0, 0, 0x7FFF0000)
REFUSE: Instruction = (RETURN, 0, 0, 0x00050000 | errno.EPERM)
REFUSE_AS_UNKNOWN: Instruction = (RETURN, 0, 0, 0x00050000 | errno.ENOSYS)
KILL: Instruction = (RETURN, 0, 0, 0x80000000)


def refuse_calls(*, alone: bool) -> None:
    """Refuse sockets, tracing, mounts, keys, and memory that no limit counts.

    `alone`: also new processes, and signals (those of files, too) and limits for others; for when there is no process
    namespace."""
    machine = os.uname().machine
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"no table of system calls for {machine}")
    program = _program(machine, alone)
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HP", len(program), ctypes.addressof(buffer))
    check(libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), ctypes.c_char_p(header)))


def _program(machine: str, alone: bool) -> list[Instruction]:
    calls = CALLS[machine]
    program: list[Instruction] = [(LOAD, 0, 0, MACHINE_AT), (EQUAL, 1, 0, MACHINES[machine]), KILL]
    program += [(LOAD, 0, 0, NUMBER_AT), (AT_LEAST, 0, 1, X32_BIT), REFUSE]
    for name, number in calls.items():
        if name not in CONDITIONAL:
            program += _when(number, [REFUSE])
    program += _when(calls["clone3"], [REFUSE_AS_UNKNOWN])  # its flags lie in memory, where no filter can read them
    program += _when(calls["clone"], _clone_rule(alone))
    if alone:
        for name in ("fork", "vfork"):
            program += _when(calls[name], [REFUSE]) if name in calls else []
        for name in ("kill", "tgkill"):
            program += _when(calls[name], _own_process_only((os.getpid(),)))
        program += _when(calls["tkill"], [REFUSE])
        program += _when(calls["prlimit64"], _own_process_only((0, os.getpid())))
        program += _when(calls["fcntl"], _without_commands((F_SETOWN, F_SETSIG, F_SETOWN_EX)))
        program += _when(calls["ioctl"], _without_commands((FIOSETOWN, SIOCSPGRP)))
    return [*program, ALLOW]


def _when(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then` must end in a RETURN on every way."""
    return [(EQUAL, 0, len(then), number), *then]


def _clone_rule(alone: bool) -> list[Instruction]:
    rule: list[Instruction] = [(LOAD, 0, 0, FIRST_ARGUMENT_AT), (ANY_BIT, 0, 1, NEW_NAMESPACES)]
    rule += [REFUSE]
    if alone:
        rule += [(ANY_BIT, 1, 0, CLONE_THREAD), REFUSE]
    return [*rule, ALLOW]


def _own_process_only(allowed: tuple[int, ...]) -> list[Instruction]:
    rule: list[Instruction] = [(LOAD, 0, 0, FIRST_ARGUMENT_AT)]
    for process in allowed:
        rule += [(EQUAL, 0, 1, process), ALLOW]
    return [*rule, REFUSE]


def _without_commands(refused: tuple[int, ...]) -> list[Instruction]:
    rule: list[Instruction] = [(LOAD, 0, 0, SECOND_ARGUMENT_AT)]  # its low half, which is all the kernel reads
    for command in refused:
        rule += [(EQUAL, 0, 1, command), REFUSE]
    return [*rule, ALLOW]


LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, LANDLOCK_VERSION, BENEATH = 444, 445, 446, 1, 1
FILE_RIGHTS = 0b1100000000000111  # execute, write, read, truncate, ioctl: all that a rule for a single file may name
READ_RIGHTS = 0b1101  # execute, read files, read folders
RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}  # how many file rights the kernel knows; 16 from version 5 on


def restrict_files(readable: list[str], writable: list[str]) -> None:
    """Landlock: nothing but these paths can be opened; from version 6 on, no process outside can be signalled."""
    version = check(libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_VERSION))
    rights = (1 << RIGHTS_OF_VERSION.get(version, 16)) - 1
    network, scopes = (0b11 if version >= 4 else 0), (0b11 if version >= 6 else 0)
    attributes = struct.pack("QQQ", rights, network, scopes)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = check(libc.syscall(LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0))
    for path in readable:
        _allow(ruleset, path, READ_RIGHTS)
    for path in writable:
        _allow(ruleset, path, rights)
    check(libc.syscall(LANDLOCK_RESTRICT, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    if not os.path.isdir(path):
        rights &= FILE_RIGHTS
    check(libc.syscall(LANDLOCK_ADD, ruleset, BENEATH, struct.pack("=Qi", rights, place), 0))
    os.close(place)
