"""How often is the language of a sentence found?

    python -m tests.bench.language DATA/lingua_langid                           # every model that is here
    python -m tests.bench.language DATA/lingua_langid --model models/lid.176.ftz

Sentences of the ten languages most used on the web: English, Spanish, German, Japanese, French, Portuguese, Russian,
Italian, Dutch, Polish (W3Techs, content languages of web sites, 2025); then the same for the ten that most people speak
(Ethnologue 2025). Then what the step `language` would do with its defaults: English sentences that it keeps, and
sentences of all other languages in the data that it keeps as English."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pyarrow.parquet as pq

from hfllm.errors import UserMistake
from hfllm.web.steps.language import Language
from hfllm.web.text.language_models import FASTTEXT, PY3LANGID, Model, resolve

WEB = ("en", "es", "de", "ja", "fr", "pt", "ru", "it", "nl", "pl")
SPOKEN = ("en", "zh", "hi", "es", "ar", "fr", "bn", "pt", "ru", "id")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", help="as in a recipe; by default lid.176 and py3langid, as far as they are here")
    options = parser.parse_args()
    rows = pq.read_table(options.data / "hf" / "sentences").to_pylist()
    print(f"{len(rows):,} sentences, {sum(len(row['text']) for row in rows) / len(rows):.0f} characters each")
    for name in [options.model] if options.model else [FASTTEXT, PY3LANGID]:
        try:
            show(resolve(name), rows)
        except UserMistake as mistake:
            print(f"\n{mistake}")


def show(model: Model, rows: list[dict[str, str]]) -> None:
    model.identify("Loads the model.")
    start = time.process_time()
    answers = [model.identify(row["text"]) for row in rows]
    spent = 1000 * (time.process_time() - start) / len(rows)
    print(f"\n{model.name}: {spent:.2f} CPU ms a sentence")
    right: dict[str, list[bool]] = {}
    for row, (language, _) in zip(rows, answers, strict=True):
        right.setdefault(row["lang"], []).append(language == row["lang"])
    for title, languages in (("most used on the web", WEB), ("most spoken", SPOKEN)):
        each = "  ".join(f"{language} {share(right[language]):.3f}" for language in languages)
        print(f"  accuracy, {title}: {share([one for language in languages for one in right[language]]):.4f}    {each}")
    step = Language()
    kept = [
        (row["lang"] == "en", step.judge({"language": language, "language_score": score}) is None)
        for row, (language, score) in zip(rows, answers, strict=True)
    ]
    print(f"  English kept: {share([keep for english, keep in kept if english]):.3f}", end="")
    print(f", others kept as English: {share([keep for english, keep in kept if not english]):.4f}")


def share(values: list[bool]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
