"""tools/python.py: what the model reads back."""

from hfllm.tools.python import MAX_CHARACTERS, python


def test_what_was_printed_comes_back():
    assert python("for i in range(3): print(i)") == "0\n1\n2"


def test_without_print_the_last_value_comes_back():
    assert python("x = 2\nx ** 10") == "1024"
    assert python("'a'") == "'a'"
    assert python("print(1)\n2") == "1"
    assert python("x = 3") == python("None") == python("") == ""


def test_an_error_is_the_last_line():
    assert python("print(1 / 0)") == "error: ZeroDivisionError: division by zero"
    assert python("x =") == "error: SyntaxError: invalid syntax"
    assert python("import sys; sys.exit('gone')") == "error: gone"
    assert python("import os; os._exit(1)") == "error: the program crashed"
    assert python("x = bytearray(10**11)") == "error: MemoryError"


def test_odd_programs_are_text_too():
    for code in ("\x00", "\ud800", "(" * 10**5, "-" * 10**5 + "1", "f(" * 150):
        assert python(code).startswith("error: ")


def test_long_output_is_cut():
    text = python("print('x' * 5000)")
    assert len(text) < MAX_CHARACTERS + 40
    assert text.endswith("... (3000 more characters)")


def test_a_function_can_call_itself_and_use_what_is_imported():
    assert python("import math\ndef f(n): return 1 if n < 2 else n * f(n - 1)\nf(5) == math.factorial(5)") == "True"


def test_the_schema_is_short():
    from transformers.utils import get_json_schema

    schema = get_json_schema(python)
    assert schema["function"]["name"] == "python"
    assert len(str(schema)) < 350
