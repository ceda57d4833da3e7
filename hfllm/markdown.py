"""How does a text of a model stand on a page of Markdown? As one line of words that is no markup.

    plain("# a\\n| <b> `c`", longest=400) == "\\\\# a \\\\| \\\\<b\\\\> \\\\`c\\\\`"

Answers, names and groups are anybody's: an image in one would be fetched by whoever opens the page, a | tears the
table. An address that stands there bare is still shown as a link (GitHub Flavored Markdown, autolinks)."""

from __future__ import annotations

import re
from collections.abc import Sequence

# an underscore between letters, as in acc_norm, is never markup (CommonMark 0.31, 6.2), and reads better bare
MARKUP = re.compile(r"[\\`*\[\]<>#|&~]|(?<![^\W_])_|_(?![^\W_])")


def plain(text: str, longest: int | None = None) -> str:
    """The text as one line of at most `longest` characters, before what is escaped."""
    flat = " ".join(text.split())
    shown = flat if longest is None or len(flat) <= longest else flat[: longest - 1] + "…"
    return MARKUP.sub(r"\\\g<0>", shown)


def table_row(cells: Sequence[str]) -> str:
    """Of cells that are plain, or markup on purpose."""
    return f"| {' | '.join(cells)} |"
