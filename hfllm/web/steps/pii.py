"""Put placeholders in the place of personal data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.web.step import Scores, Step
from hfllm.web.text import personal_data

if TYPE_CHECKING:
    from datatrove.data import Document

KINDS = list(personal_data.FINDERS)
PLACEHOLDERS = {
    "email": "<EMAIL>",
    "iban": "<IBAN>",
    "credit_card": "<CREDIT_CARD>",
    "ip": "<IP_ADDRESS>",
    "phone": "<PHONE>",
}


@dataclass(kw_only=True)
class Pii(Step):
    """Put placeholders in the place of e-mail and IP addresses, IBANs, card and telephone numbers; drops no page.

    FineWeb (arXiv 2406.17557; datatrove's examples/fineweb.py) does so with `kinds: [email, ip]`. The other three are
    in the default as well: what stays in is learned by heart, and on real pages hardly one hit in a hundred is
    something else, by checksum for IBANs and cards, by shape and words for telephone numbers (tests/bench/pii.py)."""

    MEASURED_BY: ClassVar[frozenset[str]] = frozenset({"kinds", "replacements"})

    kinds: list[str] = field(
        default_factory=KINDS.copy,
        metadata={"help": f"What to look for: {', '.join(KINDS)}. FineWeb's: [email, ip]."},
    )
    replacements: dict[str, str] = field(
        default_factory=PLACEHOLDERS.copy,
        metadata={"help": "What to write instead; a kind that is left out keeps its placeholder."},
    )

    def check(self) -> None:
        for kind in (*self.kinds, *self.replacements):
            if kind not in KINDS:
                raise UserMistake(f"step pii: no such kind: {kind}{near(kind, KINDS)}; there are {', '.join(KINDS)}")

    def measure(self, document: Document) -> Scores:
        """How many of each kind; the text without them. What they were is in no score, for reports show scores."""
        texts = PLACEHOLDERS | self.replacements
        found = personal_data.find(document.text, self.kinds)
        document.text = personal_data.replaced(document.text, [(one, texts[one.kind]) for one in found])
        return {"found": dict(Counter(one.kind for one in found))}
