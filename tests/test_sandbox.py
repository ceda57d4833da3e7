"""sandbox.py: what model-written programs are kept from, with each kind of walls that this system can build.

Every test runs with namespaces, without them as another user, and without them as the same user, as far as the system
and the user who runs the tests allow; a test whose protection is missing there is skipped and says so."""

import os
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import psutil
import pytest

from hfllm import sandbox
from hfllm.confined import outside
from hfllm.confined.outside import Walls
from hfllm.sandbox import Limits

ROOT = os.geteuid() == 0
KINDS = {"namespaces": Walls(True, ROOT), "same user": Walls(False, False)}
if ROOT:
    KINDS["another user"] = Walls(False, True)
SHORT = Limits(timeout_seconds=2, disk_bytes=2**23, files=200, output_bytes=2**16)


@cache
def stand(kind):
    job = sandbox._program("print('here')", "")
    return outside.execute(KINDS[kind], job, Limits(timeout_seconds=20)).stdout == b"here\n"


@pytest.fixture(params=KINDS, autouse=True)
def walls(request, monkeypatch):
    if not stand(request.param):
        pytest.skip(f"missing here: {request.param} (namespaces allowed? Python readable for every user?)")
    monkeypatch.setattr(sandbox, "_walls", lambda: KINDS[request.param])
    return request.param


def needs(protection):
    if sandbox.protections()[protection] is None:
        pytest.skip(f"missing here: {protection}")


def processes_with(mark):
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [command for command in found if any(mark in word for word in command)]


def test_a_program_prints_reads_and_ends():
    outcome = sandbox.run("print(input().upper())", stdin="hello\n")
    assert (outcome.status, outcome.stdout, outcome.stderr) == ("ok", "HELLO\n", "")


def test_an_error_is_the_last_line_of_a_plain_traceback():
    outcome = sandbox.run("x = 1\nprint(x / 0)")
    assert outcome.status == "error"
    assert outcome.stderr.startswith("Traceback (most recent call last):\n  File")
    assert "program.py" in outcome.stderr.splitlines()[1]
    assert outcome.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("code", ["import sys; sys.exit(3)", "import os; os._exit(3)", "import os; os.abort()", "x ="])
def test_other_ends_are_errors(code):
    assert sandbox.run(code).status == "error"


@pytest.mark.parametrize("code", ["", "\x00", "\ud800 = 1", "x" * 10**6, "(" * 10**5, "#" + "é" * 1000])
def test_odd_programs_are_no_crash_of_ours(code):
    assert sandbox.run(code, stdin="\udc80\x00").status in ("ok", "error", "memory")


def test_the_environment_is_empty(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    outcome = sandbox.run("import os; print(dict(os.environ)); print(os.listdir('.'))")
    assert "hf_secret" not in outcome.stdout
    assert "HF_TOKEN" not in outcome.stdout
    assert outcome.stdout.endswith("['program.py']\n")


def test_the_environment_of_other_processes_cannot_be_read():
    needs("environment of others")
    victim = subprocess.Popen(["sleep", "30"], env={"HF_TOKEN": "hf_secret"})
    code = f"""
import os
for process in ({victim.pid}, os.getppid(), 'self/task/1', 1):
    try:
        print(open(f'/proc/{{process}}/environ').read())
    except OSError as error:
        print(error)
"""
    assert "hf_secret" not in sandbox.run(code).stdout
    victim.kill()
    victim.wait()


def test_a_fork_bomb_ends_and_leaves_nothing():
    needs("many processes")
    mark = f"bomb{os.getpid()}"
    code = "import os, sys\nwhile True:\n    os.fork()\n"
    code += f"    os.spawnl(os.P_NOWAIT, sys.executable, 'p', '-c', 'import time; time.sleep(60)  # {mark}')"
    outcome = sandbox.run(code, limits=SHORT)
    assert outcome.status in ("error", "timeout", "output")
    assert gone(mark)


def gone(mark):
    for _ in range(20):
        if not processes_with(mark):
            return True
        time.sleep(0.05)
    return False


def test_an_endless_loop_is_ended():
    outcome = sandbox.run("while True: pass", limits=Limits(timeout_seconds=0.5))
    assert outcome.status == "timeout"
    assert outcome.seconds < 3


def test_a_program_that_waits_is_ended():
    assert sandbox.run("import time; time.sleep(60)", limits=Limits(timeout_seconds=0.5)).status == "timeout"


def test_ten_gigabytes_are_not_given():
    assert sandbox.run("x = bytearray(10 * 2**30); print(len(x))", limits=SHORT).status == "memory"


def test_memory_outside_the_address_space_is_not_given():
    needs("rare system calls")
    assert "PermissionError" in sandbox.run("import os; os.memfd_create('hidden')").stderr


@pytest.mark.parametrize(
    "code",
    [
        "file = open('big', 'wb')\nwhile True: file.write(bytes(2**20))",
        "import time\nfor i in range(50):\n    open(str(i), 'wb').write(bytes(2**20))\ntime.sleep(9)",
        "import time\nfor i in range(5000): open(str(i), 'w').close()\ntime.sleep(9)",
        "import os, time\nfor i in range(5000):\n    os.mkdir('d')\n    os.chdir('d')\ntime.sleep(9)",
    ],
    ids=["one large file", "many large files", "many empty files", "folders in folders"],
)
def test_the_disk_is_not_filled(code):
    before = set(os.listdir(tempfile.gettempdir()))
    assert sandbox.run(code, limits=SHORT).status == "files"
    left = {name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("hfllm-sandbox-")}
    assert not left


def test_a_folder_that_its_owner_closed_is_removed():
    before = set(os.listdir(tempfile.gettempdir()))
    assert sandbox.run("import os; os.makedirs('a/b'); os.chmod('a', 0)").status == "ok"
    assert not [name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("hfllm-sandbox-")]


@pytest.fixture
def open_folder():
    """A folder that every user may write to, as /tmp itself is."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def test_nothing_is_written_outside(open_folder):
    needs("reading other files")  # another user alone does not help where everybody may write
    target = open_folder / "target"
    outcome = sandbox.run(f"open({str(target)!r}, 'w').write('here')")
    assert outcome.status == "error"
    assert not target.exists()


def test_other_files_are_not_read(open_folder):
    needs("reading other files")
    (open_folder / "key").write_text("secret")
    outcome = sandbox.run(f"print(open({str(open_folder / 'key')!r}).read())")
    assert outcome.status == "error"
    assert "secret" not in outcome.stdout


def test_the_systems_own_files_are_not_changed():
    needs("writing other files")
    code = """
import os, sys
for path in (os.__file__, sys.executable, '/usr/bin/env', '/etc/passwd', '/usr/new', '/new'):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
        print('opened', path)
    except OSError:
        pass
"""
    assert sandbox.run(code).stdout == ""


def test_no_child_stays_behind():
    needs("children that stay")
    mark = f"stayed{os.getpid()}"
    code = f"""
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)  # {mark}'])
"""
    sandbox.run(code)
    assert gone(mark)


def test_no_child_stays_behind_after_a_timeout():
    needs("children that stay")
    mark = f"stayed{os.getpid()}"
    code = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)  # {mark}'], start_new_session=True)
time.sleep(60)
"""
    sandbox.run(code, limits=Limits(timeout_seconds=1))
    assert gone(mark)


KILL = """
import os, signal
for process in ({victim}, os.getppid(), -1):
    try: os.kill(process, signal.SIGKILL)
    except OSError: pass
"""
KILL_BY_A_PIPE = """
import fcntl, os, signal, struct
for command, owner in ((fcntl.F_SETOWN, {victim}), (15, struct.pack('ii', 1, {victim}))):  # F_SETOWN_EX
    reader, writer = os.pipe()
    for command, value in ((command, owner), (10, signal.SIGKILL), (fcntl.F_SETFL, os.O_ASYNC)):  # F_SETSIG
        try: fcntl.fcntl(reader, command, value)
        except OSError as error: print(type(error).__name__)
    os.write(writer, b'x')
"""


@pytest.mark.parametrize("code", [KILL, KILL_BY_A_PIPE], ids=["kill", "pipe"])
def test_others_cannot_be_signalled(code, walls, monkeypatch):
    needs("signals to others")
    if walls == "same user":  # without Landlock, of which newer versions keep signals in as well
        monkeypatch.setattr(outside, "readable", lambda: ["/no/such/path"])
        assert "landlock" not in outside.execute(KINDS[walls], sandbox._program("", ""), SHORT).report.decode()
    victim = subprocess.Popen(["sleep", "30"])
    outcome = sandbox.run(code.format(victim=victim.pid))
    time.sleep(0.05)
    assert victim.poll() is None
    assert outcome.status == "ok"
    victim.kill()
    victim.wait()


def test_no_file_is_told_whom_to_signal(walls):
    needs("rare system calls")
    if walls == "namespaces":
        pytest.skip("in a process namespace there is nobody else to signal")
    code = """
import fcntl, os, struct
fcntl.fcntl(0, fcntl.F_GETFL)
commands = [(fcntl.fcntl, number) for number in (8, 10, 15)] + [(fcntl.ioctl, number) for number in (0x8901, 0x8902)]
for call, command in commands:
    try: call(0, command, struct.pack('ii', 1, os.getpid()))
    except OSError as error: print(type(error).__name__)
"""
    assert sandbox.run(code).stdout == "PermissionError\n" * 5


@pytest.mark.parametrize("kind", ["INET", "UNIX"])
def test_no_connection_is_made(kind, open_folder):
    needs("network")
    server = socket.socket(getattr(socket, f"AF_{kind}"))
    address = ("127.0.0.1", 0) if kind == "INET" else str(open_folder / "door")
    server.bind(address)
    server.listen()
    if kind == "UNIX":
        os.chmod(address, 0o777)
    server.settimeout(0.3)
    outcome = sandbox.run(f"import socket; socket.socket(socket.AF_{kind}).connect({server.getsockname()!r})")
    assert outcome.status == "error"
    with pytest.raises(TimeoutError):
        server.accept()
    server.close()


def test_new_namespaces_and_tracing_are_refused():
    needs("rare system calls")
    code = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.unshare(0x10000000), libc.ptrace(16, 1, 0, 0), libc.mount(b'none', b'/', b'tmpfs', 0, 0), libc.chroot(b'.'))
"""
    assert sandbox.run(code).stdout == "-1 -1 -1 -1\n"


def test_much_output_is_cut_and_ends_the_program():
    outcome = sandbox.run("while True: print('x' * 1000)", limits=SHORT)
    assert outcome.status == "output"
    assert SHORT.output_bytes < len(outcome.stdout) < 3 * SHORT.output_bytes
    assert sandbox.run("import sys\nwhile True: sys.stderr.write('x' * 1000)", limits=SHORT).status == "output"


def test_a_closed_stdout_changes_nothing():
    assert sandbox.run("import os; os.close(1); os.close(2)").status == "ok"
    outcome = sandbox.run("import os; os.close(1); os.close(2)\nwhile True: pass", limits=Limits(timeout_seconds=0.5))
    assert outcome.status == "timeout"


def test_a_duplicated_stdout_changes_nothing():
    outcome = sandbox.run("import os\nfor i in range(20): os.dup(1)\nos.write(os.dup(1), b'here')")
    assert (outcome.status, outcome.stdout) == ("ok", "here")


def test_only_three_files_are_open_at_the_start():
    code = "import os\nfor i in range(3, 64):\n    try: os.fstat(i); print(i)\n    except OSError: pass"
    assert sandbox.run(code).stdout == ""


def test_deep_recursion_is_an_error():
    assert sandbox.run("def f(n): return f(n + 1)\nf(0)").stderr.rstrip().startswith("Traceback")
    deep = "import sys; sys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1) + 1\nf(0)"
    assert sandbox.run(deep, limits=SHORT).status in ("error", "memory", "timeout")


def test_output_that_is_not_utf_8_is_replaced():
    assert sandbox.run("import os; os.write(1, b'a\\xffb')").stdout == "a\ufffdb"


def test_installed_packages_can_be_used():
    assert sandbox.run("import numpy; print(numpy.arange(3).sum())").stdout == "3\n"


def test_sets_come_in_the_same_order_every_time():
    code = "print(list({'a', 'b', 'c', 'd', 'e', 'f'}))"
    assert sandbox.run(code).stdout == sandbox.run(code).stdout


def test_many_programs_keep_their_order():
    outcomes = sandbox.run_many([f"print({number})" for number in range(8)], workers=3)
    assert [outcome.stdout for outcome in outcomes] == [f"{number}\n" for number in range(8)]


def test_processes_can_be_used_where_they_are_counted(walls):
    if walls != "namespaces":
        pytest.skip("without a process namespace no process can be started")
    assert sandbox.run("import subprocess; subprocess.run(['echo', 'hello'])").stdout == "hello\n"


def test_every_protection_is_named():
    assert all(means is None or means for means in sandbox.protections().values())
    assert len(sandbox.protections()) == 11
