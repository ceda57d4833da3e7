"""sandbox.passes and what lies below it: right solutions pass, and a solution that cheats does not.

With each kind of walls that this system can build, as in test_sandbox.py."""

import pytest

from hfllm.confined import values
from hfllm.sandbox import Limits, passes
from tests.test_sandbox import walls  # noqa: F401 - a fixture that every test here uses

TESTS = "from solution import double\nassert double(4) == 8\nassert double(-1) == -2\n"
SHORT = Limits(timeout_seconds=1)


def test_a_right_solution_passes():
    assert passes("def double(x): return 2 * x", TESTS)
    assert passes("def double(x): return 2 * x", "assert double(4) == 8")  # by its name alone
    assert passes("print('double')\ndouble = lambda x: x + x", TESTS)


@pytest.mark.parametrize(
    "solution", ["", "def double(x): return 3 * x", "double = 8", "def double(x)", "\x00", "raise ValueError", "\udc80"]
)
def test_a_wrong_solution_does_not(solution):
    assert not passes(solution, TESTS)


EQUAL = """
class Equal(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    def __abs__(self): return self
    def __sub__(self, other): return self
    def __lt__(self, other): return True
def double(x): return Equal()
"""
CHEATS = {
    "sys.exit": "import sys\nsys.exit(0)",
    "exit when called": "def double(x): raise SystemExit(0)",
    "os._exit": "import os\nos._exit(0)",
    "os._exit when called": "import os\ndef double(x): os._exit(0)",
    "a printed verdict": "print('passed'); print('OK'); raise SystemExit(0)",
    "every pipe gets a verdict": "import os\nfor place in range(64):\n    try: os.write(place, b'passed\\n')\n"
    "    except OSError: pass\ndef double(x): return 0",
    "equal to everything": EQUAL,
    "equal to everything, no number": EQUAL.replace("(int)", ""),
    "a mock": "from unittest.mock import MagicMock, ANY\ndef double(x): return ANY",
    "builtins": "import builtins\nbuiltins.AssertionError = lambda *a: None\nbuiltins.__build_class__ = None\n"
    "builtins.len = lambda x: 0\ndef double(x): return 0",
    "a module": "import ast\ndef double(x): return ast",
    "the tests are rewritten": "import sys\nfor module in list(sys.modules.values()):\n"
    "    for name in ('double', 'check', '_run_tests', 'run'):\n        try: setattr(module, name, lambda *a: True)\n"
    "        except Exception: pass\ndef double(x): return 0",
    "frames are searched": "import sys\ndef double(x):\n    frame = sys._getframe()\n    while frame:\n"
    "        for name, value in {**frame.f_globals, **frame.f_locals}.items():\n"
    "            if isinstance(value, (bytes, str)) and 'assert double' in str(value): return 8 if x == 4 else -2\n"
    "        frame = frame.f_back\n    return 0",
    "memory is searched": "import gc\nfound = [o for o in gc.get_objects() if isinstance(o, (dict, list)) and"
    " any('double(-1) ==' in str(v)[:9999] for v in list(o)[:99])]\n"
    "def double(x): return 2 * x if any('assert double(' in str(f)[:9999] for f in found) else 0",
    "standard input is read": "import os, sys\ntext = ''\nfor place in range(32):\n"
    "    try: text += str(os.pread(place, 10**6, 0))\n    except OSError: pass\n"
    "def double(x): return 2 * x if 'assert' in text else 0",
    "the parent is read": "import os\ntext = b''\nfor name in ('environ', 'cmdline', 'fd/0', 'mem', 'fd/3', 'fd/5'):\n"
    "    for process in (os.getppid(), 1):\n        try: text += open(f'/proc/{process}/{name}', 'rb').read(10**6)\n"
    "        except OSError: pass\ndef double(x): return 2 * x if b'assert' in text else 0",
    "the parent is ended": "import os, signal\nfor number in (9, 15, 10):\n    try: os.kill(os.getppid(), number)\n"
    "    except OSError: pass\ndef double(x): return 0",
    "a fork answers too": "import os\nos.fork()\nos.fork()\ndef double(x): return 0",
    "at exit": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef double(x): return 0",
    "no end": "def double(x):\n    while True: pass",
    "an answer without end": "def double(x): return [0] * 10**9",
    "an answer nested without end": "x = []\nx.append(x)\ndef double(_): return x",
    "replies are forged": "import os, struct\nfor place in range(3, 64):\n    for _ in range(9):\n"
    "        try: os.write(place, (9).to_bytes(8, 'big') + b'n' + bytes(8))\n        except OSError: pass\n"
    "def double(x): return 0",
    "replies end": "import os\nos.closerange(0, 64)\ndef double(x): return 0",
    "an object that compares": "class C:\n    def __getattr__(self, name): return lambda *a: True\n"
    "def double(x): return C()",
}


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_does_not_pass(name):
    assert not passes(CHEATS[name], TESTS, SHORT)


def test_the_tests_do_not_import_what_the_solution_wrote():
    solution = "open('heapq.py', 'w').write('merge = lambda *a: []')\ndef double(x): return 0"
    assert not passes(solution, "import heapq\nassert list(heapq.merge([1], [])) == []\n", SHORT)


@pytest.mark.parametrize("name", ["abs", "sorted", "sum", "len", "round"])
def test_pythons_own_functions_are_not_replaced(name):
    solution = f"import builtins\n{name} = builtins.{name} = lambda *a, **k: 0\ndef double(x): return x"
    argument = "double(3)" if name in ("abs", "round") else "[double(3)]"
    assert not passes(solution, f"assert {name}({argument}) == 0", Limits(timeout_seconds=1))


def test_modules_of_python_are_not_replaced():
    solution = "class math:\n    isclose = lambda *a: True\ndef double(x): return 0"
    assert not passes(solution, "assert math.isclose(double(4), 8)")
    assert passes("import math\ndef double(x): return 2 * x", "assert math.isclose(double(4), 8)")


def test_a_function_named_like_pythons_own_is_the_solutions_when_imported():
    assert passes("def sum(a, b): return a * b", "from solution import sum\nassert sum(3, 4) == 12")


@pytest.mark.parametrize(
    "tests",
    [
        "p = Point(1, 2)\nassert p.x == 1 and p.sum() == 3\nassert str(p) == 'p' and len(p) == 2 and list(p) == [1, 2]",
        "p = Point(1, 2)\np.x = 5\nassert p.sum() == 7\nassert Point(1, 2) == Point(1, 2) != Point(1, 3)",
        "assert largest([Point(1, 2), Point(3, 4)]).x == 3",
        "assert max([Point(1, 2), Point(3, 4)]).x == 3",
        "values = [3, 1, 2]\nin_place(values)\nassert values == [1, 2, 3]",
        "assert list(count(3)) == [0, 1, 2] and sum(count(4)) == 6 and 2 in count(3)",
        "assert apply(lambda x: x + 1, 3) == 4 and apply(len, 'abc') == 3 and apply(str, 5) == '5'",
        "assert [x for x in only([1, 'a', 2.0, None], int)] == [1]",
        "try:\n    fails()\nexcept KeyError as error:\n    assert 'gone' in str(error)\nelse:\n    assert False",
        "assert kinds() == [1, 2.5, 'é', b'x', (1,), {1}, {'a': [None, True]}, 3 + 4j, 10**5000, frozenset({2})]",
        "from fractions import Fraction\nassert half() == Fraction(1, 2)",
        "from collections import deque, Counter\nassert queue() == deque([1]) and counted('aab') == Counter('aab')",
        "assert TABLE['a'] == 1",
        "assert number() == 7 and truth() is True",
        "import math\nassert math.isnan(nan()) and same('\\ud800') == '\\ud800'",
    ],
)
def test_what_tests_may_use_of_a_solution(tests):
    solution = """
from collections import Counter, deque
from fractions import Fraction
import numpy
class Point:
    def __init__(self, x, y): self.x, self.y = x, y
    def sum(self): return self.x + self.y
    def __str__(self): return 'p'
    def __len__(self): return 2
    def __iter__(self): return iter([self.x, self.y])
    def __eq__(self, other): return (self.x, self.y) == (other.x, other.y)
    def __lt__(self, other): return self.x < other.x
TABLE = {'a': 1}
def largest(points): return max(points)
def in_place(values): values.sort()
def count(n): yield from range(n)
def apply(function, value): return function(value)
def only(values, kind): return [value for value in values if isinstance(value, kind)]
def fails(): raise KeyError('gone')
def kinds(): return [1, 2.5, 'é', b'x', (1,), {1}, {'a': [None, True]}, 3 + 4j, 10**5000, frozenset({2})]
def half(): return Fraction(1, 2)
def queue(): return deque([1])
def counted(text): return Counter(text)
def number(): return numpy.int64(7)
def truth(): return numpy.bool_(True)
def nan(): return float('nan')
def same(x): return x
"""
    assert passes(solution, tests)


def test_tests_that_fail_or_end_early_do_not_pass():
    right = "def double(x): return 2 * x"
    for tests in ("assert False", "raise SystemExit(0)", "import os; os._exit(0)", "double(", "nothing(1)"):
        assert not passes(right, tests)


def test_values_cross_unchanged():
    for value in (None, True, -5, 1.5, "a\ud800", b"\x00", [1, [2]], (1,), {"a": {1: 2}}, range(1, 9, 2), int):
        assert values.decode(values.encode(value, bytes), print) == value


def test_what_is_read_is_only_ever_plain():
    for name in ("eval", "exec", "open", "__import__"):  # functions, not classes
        with pytest.raises(ValueError, match="no class"):
            values.decode(b"k" + len(name).to_bytes(8, "big") + name.encode(), print)
    with pytest.raises(ValueError, match="only a few classes"):
        values.decode(b"o" + values.encode(["os", "system", ("true",)], bytes)[1:], print)
