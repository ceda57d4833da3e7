"""A filter of the user's own in the chain: `mine.py:shouts: {share: 0.5}`."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import user_file
from hfllm.errors import UserMistake
from hfllm.web.step import Scores, Step

if TYPE_CHECKING:
    from datatrove.data import Document


@dataclass(kw_only=True)
class OwnFilter(Step):
    """Drop what a function of the user's file names a reason for."""

    name: str  # as the recipe has it
    function_name: str  # with the whole path of the file: a worker may start in another folder
    options: dict[str, Any] = field(default_factory=dict)

    def measured_by(self) -> dict[str, Any]:
        """The options and the whole file: nobody can tell a threshold from the rest of it."""
        file = Path(str(inspect.getsourcefile(user_file.function(self.function_name))))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        return {"function": self.name, "options": self.options, "file": digest}

    def measure(self, document: Document) -> Scores:
        function = user_file.told(self.name, user_file.function(self.function_name))
        reason = function(document.text, **self.options)
        if reason is not None and not isinstance(reason, str):
            raise UserMistake(
                f"step {self.name} returned {reason!r}; expected the reason to drop a page, or None to keep it"
            )
        return {"reason": reason} if reason else {}

    def judge(self, scores: Mapping[str, Any]) -> str | None:
        return scores.get("reason")
