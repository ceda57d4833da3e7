"""Our words for datatrove's own blocks: a module of its own, because its base class costs an import of datatrove."""

from __future__ import annotations

from datatrove.utils.word_tokenizers import WordTokenizer

from hfllm.web.text import words


class PageWords(WordTokenizer):
    """`MinhashDedupSignature(..., language=PageWords("regex"))`; it holds a name only, so that it can be pickled."""

    def __init__(self, tokenizer: str) -> None:
        super().__init__()
        self.tokenizer = tokenizer

    def word_tokenize(self, text: str) -> list[str]:
        return words.split(text, self.tokenizer)

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return words.sentence_spans(text, self.tokenizer)

    def sent_tokenize(self, text: str) -> list[str]:
        sentences = (text[start:end].strip() for start, end in self.span_tokenize(text))
        return [sentence for sentence in sentences if sentence]
