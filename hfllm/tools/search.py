"""Search in a data set of texts, with BM25 (Robertson and Zaragoza 2009; the library bm25s).

    search = make("runs/tiny/world/directory")
    search("Where does Tom live?")

Reads one column of a local data set or of one on the Hub; the index is made anew each time and lies in memory."""

from __future__ import annotations

from hfllm import data
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.tools import Tool

WORDS = r"(?u)\b\w+\b"  # one-letter words and digits too, which bm25s would leave out
LONGEST = 2_000  # characters of a text that are shown: an encyclopaedia's article would fill the model's context
NOTHING = "nothing found"


def make(path: str, column: str = "text", results: int = 1) -> Tool:
    """The tool `search` over the column of a data set, which shows the best `results` texts.

    Raises UserMistake when the data set or the column cannot be read."""
    if results < 1:
        raise UserMistake(f"tool search: results: {results} is too few, write 1 or more")
    dataset = data.load(DatasetConfig(path=path))
    if column not in dataset.column_names:
        raise UserMistake(
            f"tool search: {path} has the columns {', '.join(dataset.column_names)}, but no {column}; "
            f"write for instance  search: {{path: {path}, column: {dataset.column_names[0]}}}"
        )
    texts = [str(text) for text in dataset[column]]
    import bm25s

    index = bm25s.BM25()
    index.index(_words(texts), show_progress=False)
    shown = min(results, len(texts))

    def search(query: str) -> str:
        """Search for a text.

        Args:
            query: what to look for
        """
        numbers, scores = index.retrieve(_words([str(query)]), k=shown, show_progress=False)  # (1, shown) each
        found = [texts[number] for number, score in zip(numbers[0], scores[0], strict=True) if score > 0]
        return "\n\n".join(_cut(text) for text in found) or NOTHING

    return search


def _words(texts: list[str]) -> object:
    import bm25s

    return bm25s.tokenize(texts, token_pattern=WORDS, stopwords="en", show_progress=False)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
