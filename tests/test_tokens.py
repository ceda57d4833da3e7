"""`hfllm tokens`: the view in the terminal, in files and on a page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text
from tokenizers import Tokenizer, models, pre_tokenizers

from hfllm.errors import UserMistake
from hfllm.tokenizing import bpe, bpe_training, segments, tokens
from hfllm.tokenizing.segments import Segment

TEXT = "Hello 👩‍👩‍👧, naïve <b>&\r\n\tनमस्ते e\u0301"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("runs") / "tokenizer")
    bpe_training.save(bpe_training.train([["Hello Hello user assistant " * 4]], 288, ".+", reserved=5), path)
    return path


def test_segments_are_the_text_and_their_ids_the_tokens(folder: str) -> None:
    view = segments.view(TEXT, folder)
    assert "".join(segment.text for segment in view.segments[1:]) == TEXT
    assert [id for segment in view.segments for id in segment.ids] == bpe.load(folder).encode(TEXT).ids
    assert view.segments[0].special  # <|bos|>
    assert (view.bytes, view.vocab_size) == (len(TEXT.encode()), 288)
    assert view.bytes_per_token == view.bytes / (view.tokens - 1)


def test_a_visible_character_is_never_cut(folder: str) -> None:
    texts = [segment.text for segment in segments.view(TEXT, folder).segments]
    assert {"👩‍👩‍👧", "ï", "\r\n", "e\u0301"} <= set(texts)
    family = segments.view("👩‍👩‍👧", folder).segments[1]
    assert len(family.ids) == 4 + 3 + 4 + 3 + 4  # bytes of woman, joiner, woman, joiner, girl: none was merged


def test_special_tokens_in_the_text_are_special(folder: str) -> None:
    view = segments.view("a<|im_end|>b", folder)
    assert [(segment.text, segment.special) for segment in view.segments[1:]] == [
        ("a", False),
        ("<|im_end|>", True),
        ("b", False),
    ]
    assert view.bytes == 2


def test_a_broken_tokenizer_is_told(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(UserMistake, match=r"its tokenizer\.json is broken: "):
        segments.view("a", str(tmp_path))


def test_text_that_a_tokenizer_drops_is_a_segment_without_ids(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert segments.view("a  b ", str(tmp_path)).segments == [
        Segment("a", [0]),
        Segment("  "),
        Segment("b", [1]),
        Segment(" "),
    ]


def test_chat_puts_the_text_into_the_template(folder: str) -> None:
    rendered = "<|bos|><|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    assert segments.as_user_message("Hello", folder) == rendered
    assert "".join(segment.text for segment in segments.view("Hello", folder, chat=True).segments) == rendered


def test_the_terminal_shows_text_ids_and_counts(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = tokens.show("Hello <|im_end|>", [folder, folder])
    plain = Text.from_ansi(shown).plain
    assert plain.count("<|bos|>Hello <|im_end|> ") == 2
    ids = bpe.load(folder).encode("Hello <|im_end|>").ids
    assert plain.count(" ".join(map(str, ids))) == 2
    assert plain.count(f"{len(ids)} tokens · 6 bytes") == 2
    assert "\x1b[" in shown


def test_the_terminal_is_not_at_the_mercy_of_the_text(folder: str) -> None:
    shown = tokens.show("\x1b[2J\x07\x9b", [folder])
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown
    assert "\x9b" not in shown
    assert "␛" in shown


def test_the_page_is_escaped_and_stands_alone(folder: str) -> None:
    page = tokens.page('</b><script>alert(1)</script> "x"', [folder, folder])
    assert page.count("<section>") == 2
    assert page.count("<script") == 1  # its own
    assert not re.search(r"https?://|<link|src=", page)
    assert "PANELS" not in page
    # the ids of the page are those of the tokenizer
    ids = [int(id) for id in re.findall(r">(\d+)</b>", page.split('class="ids"')[1].split("</section>")[0])]
    assert ids == bpe.load(folder).encode('</b><script>alert(1)</script> "x"').ids


def test_whitespace_of_the_page_carries_its_sign(folder: str) -> None:
    page = tokens.page("a b\n", [folder])
    assert '<i class="w space" data-w="·"> </i>' in page
    assert '<i class="w" data-w="↵">\n</i>' in page


def test_into_a_pipe_goes_one_line_a_segment(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tokens.main(["a<|im_end|>", "--tokenizer", folder]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"# {folder}: 3 tokens · 1 byte · 1.00 bytes per token · vocabulary 288"
    vocabulary = bpe.load(folder).get_vocab()
    assert lines == [f"{vocabulary[token]}\t{token!r}" for token in ("<|bos|>", "a", "<|im_end|>")]


def test_a_page_is_written(folder: str, tmp_path: Path) -> None:
    assert tokens.main(["hi", "--tokenizer", folder, "--html", str(tmp_path / "page.html"), "--chat"]) == 0
    assert tokens.page("hi", [folder], chat=True) == (tmp_path / "page.html").read_text()
    assert "&lt;|im_start|&gt;" in tokens.page("hi", [folder], chat=True)


def test_the_newest_tokenizer_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserMistake, match="--tokenizer"):
        tokens.newest_tokenizer()
    for name in ("old", "new"):
        (tmp_path / "runs" / name / "tokenizer").mkdir(parents=True)
        (tmp_path / "runs" / name / "tokenizer" / "tokenizer.json").touch()
    os.utime(tmp_path / "runs" / "old" / "tokenizer" / "tokenizer.json", (1, 1))
    assert tokens.newest_tokenizer() == "runs/new/tokenizer"


@pytest.mark.parametrize("name", ["runs/nowhere/tokenizer", "nobody/nothing"])
def test_a_tokenizer_that_is_nowhere(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserMistake, match=name):
        tokens.show("hi", [name])
    with pytest.raises(UserMistake, match=r"no tokenizer\.json"):
        tokens.show("hi", [str(tmp_path)])


def test_no_torch_and_no_transformers(folder: str) -> None:
    code = f"""
import sys
from hfllm.tokenizing import tokens
tokens.show("hi", [{folder!r}])
tokens.page("hi", [{folder!r}], chat=True)
assert not {{"torch", "transformers", "datasets"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
