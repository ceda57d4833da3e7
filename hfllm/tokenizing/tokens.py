"""How tokenizers cut a text: in colours in the terminal, or as a page.

    hfllm tokens "Hello world" --tokenizer runs/tiny/tokenizer --tokenizer openai-community/gpt2 --html tokens.html

Prints, or writes a self-contained page; several tokenizers stand side by side. Into a file or a pipe goes one line a
piece of text, without colours."""

from __future__ import annotations

import argparse
import html
import os
import shutil
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from hfllm import places
from hfllm.errors import UserMistake
from hfllm.tokenizing import segments

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

PAGE = places.PACKAGE / "templates" / "tokens.html"
COLOURS = ["#9ecbff", "#ffd59e", "#a8e6b0", "#ffb3cc", "#cdb8ff", "#f2ea8f", "#98e4e8"]  # the page's .c0 to .c6
WHITESPACE = {" ": "·", "\t": "⇥", "\r": "␍", "\n": "↵"}
# Characters that would move the cursor, ring the bell or hide a cut are shown by a picture of them.
VISIBLE: dict[int, str] = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in WHITESPACE}
VISIBLE |= {0x7F: "␡"} | {code: f"⟨{code:02x}⟩" for code in range(0x80, 0xA0)}


def main(argv: list[str]) -> int:
    """`hfllm tokens`."""
    parser = argparse.ArgumentParser("hfllm tokens", description="Show how tokenizers cut a text.", allow_abbrev=False)
    parser.add_argument("text")
    parser.add_argument(
        "--tokenizer",
        action="append",
        metavar="PATH|HUB_ID",
        help="repeat for more; default: the newest runs/*/tokenizer",
    )
    parser.add_argument("--html", metavar="FILE", help="write a page instead")
    parser.add_argument("--chat", action="store_true", help="put the text into the chat template, as a user's message")
    options = parser.parse_args(argv)
    paths = options.tokenizer or [newest_tokenizer()]
    if options.html:
        Path(options.html).write_text(page(options.text, paths, chat=options.chat), encoding="utf-8")
        print(f"wrote {options.html}")
    elif sys.stdout.isatty() and "NO_COLOR" not in os.environ:
        print(show(options.text, paths, chat=options.chat), end="")
    else:
        print(listing(options.text, paths, chat=options.chat))
    return 0


def newest_tokenizer() -> str:
    """The folder runs/*/tokenizer that was written last."""
    files = sorted(Path("runs").glob("*/tokenizer/tokenizer.json"), key=lambda file: file.stat().st_mtime)
    if not files:
        raise UserMistake("no tokenizer in runs/*/tokenizer; name one:   --tokenizer openai-community/gpt2")
    return str(files[-1].parent)


def listing(text: str, tokenizer_paths: list[str], *, chat: bool = False) -> str:
    """One line a segment, for files and pipes: its ids, a tab, its text as a Python string."""
    blocks = []
    for path in tokenizer_paths:
        view = segments.view(text, path, chat=chat)
        lines = [f"{' '.join(map(str, segment.ids))}\t{segment.text!r}" for segment in view.segments]
        blocks.append("\n".join([f"# {view.name}: {counts(view)}", *lines]))
    return "\n\n".join(blocks)


def counts(view: segments.View) -> str:
    """12 tokens · 38 bytes · 3.45 bytes per token · vocabulary 2,048"""
    sizes = f"{view.tokens:,} token{'s' * (view.tokens != 1)} · {view.bytes:,} byte{'s' * (view.bytes != 1)}"
    return f"{sizes} · {view.bytes_per_token:.2f} bytes per token · vocabulary {view.vocab_size:,}"


def show(text: str, tokenizer_paths: list[str], *, chat: bool = False) -> str:
    """For a terminal: the text in colours, the ids in the same colours, the counts; a column for each tokenizer."""
    from rich.console import Console
    from rich.table import Table

    views = [segments.view(text, path, chat=chat) for path in tokenizer_paths]
    table = Table.grid(padding=(0, 1), expand=True)
    for _ in views:
        table.add_column(ratio=1, overflow="fold")
    table.add_row(*map(_panel, views))
    console = Console(force_terminal=True, color_system="truecolor", width=shutil.get_terminal_size().columns)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def _panel(view: segments.View) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    cut, ids = _coloured(view)
    inside = Group(Text(counts(view), style="dim"), Text(), cut, Text(), ids)
    return Panel(inside, title=Text(view.name, style="bold"), title_align="left", border_style="dim")


def _coloured(view: segments.View) -> tuple[Text, Text]:
    """The text and the ids; neighbours differ in colour, the same segment has the same colour in both."""
    from rich.text import Text

    cut, ids, number = Text(overflow="fold"), Text(overflow="fold"), count()
    for segment in view.segments:
        style = "reverse bold" if segment.special else f"#101418 on {COLOURS[next(number) % len(COLOURS)]}"
        cut.append(_terminal_text(segment.text), style=style if segment.ids else "dim strike")
        for id in segment.ids:
            ids.append(f"{id}", style=style).append(" ")
    return cut, ids


def _terminal_text(text: str) -> str:
    return text.translate(VISIBLE).replace("\r", "␍").replace("\t", "⇥   ").replace("\n", "↵\n")


def page(text: str, tokenizer_paths: list[str], *, chat: bool = False) -> str:
    """A page that needs nothing but a browser: point at a segment and its ids light up, and the other way round."""
    views = [segments.view(text, path, chat=chat) for path in tokenizer_paths]
    characters = sum(len(segment.text) for segment in views[0].segments if not segment.special)
    template = PAGE.read_text(encoding="utf-8")
    before, after = template.replace("COUNTS", f"{characters:,} characters").split("PANELS")
    return before + "\n".join(map(_section, views)) + after


def _section(view: segments.View) -> str:
    cut, ids = _parts(view)
    return (
        f"<section><h2>{html.escape(view.name)}</h2><dl>{_figures(view)}</dl>"
        f'<div class="text">{cut}</div><div class="ids">{ids}</div></section>'
    )


def _figures(view: segments.View) -> str:
    figures = {
        "tokens": f"{view.tokens:,}",
        "bytes per token": f"{view.bytes_per_token:.2f}",
        "bytes": f"{view.bytes:,}",
        "vocabulary": f"{view.vocab_size:,}",
    }
    return "".join(f"<div><dt>{term}</dt><dd>{figure}</dd></div>" for term, figure in figures.items())


def _parts(view: segments.View) -> tuple[str, str]:
    """The text and the ids in HTML; `data-s` joins a piece of text with its ids."""
    cut, ids, number = [], [], count()
    for place, segment in enumerate(view.segments):
        if not segment.ids:
            cut.append(f"<s>{html.escape(segment.text)}</s>")
            continue
        colour = "special" if segment.special else f"c{next(number) % len(COLOURS)}"
        attributes = f'class="{colour}" data-s="{place}" title="{html.escape(_describe(segment))}"'
        cut.append(f"<b {attributes}>{_page_text(segment.text)}</b>")
        ids += [f"<b {attributes}>{id}</b>" for id in segment.ids]
    return "".join(cut), "".join(ids)


def _describe(segment: segments.Segment) -> str:
    """What the page says of the segment pointed at: "ids 172 253 239 233 · 4 bytes f0 9f 91 8b"."""
    ids = f"id{'s' * (len(segment.ids) > 1)} {' '.join(map(str, segment.ids))}"
    if segment.special:
        return f"{ids} · special token {segment.text}"
    return f"{ids} · {segment.bytes} byte{'s' * (segment.bytes != 1)} {segment.text.encode()[:24].hex(' ')}"


def _page_text(text: str) -> str:
    """Escaped; whitespace carries the sign that stands for it when whitespace is shown."""
    return "".join(_page_character(character) for character in text.translate(VISIBLE))


def _page_character(character: str) -> str:
    if character not in WHITESPACE:
        return html.escape(character)
    kind = "w space" if character == " " else "w"
    return f'<i class="{kind}" data-w="{WHITESPACE[character]}">{character}</i>'
