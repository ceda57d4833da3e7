"""Progress: a marked line for `hfllm run`, throttled, from the first process only."""

from __future__ import annotations

import pytest

from hfllm import progress


@pytest.fixture(autouse=True)
def under_hfllm_run(monkeypatch):
    monkeypatch.setenv("HFLLM_PROGRESS", "1")
    monkeypatch.delenv("RANK", raising=False)


def test_what_is_reported_is_read_back(capsys):
    progress.report(3, 3, "documents [of 3]")
    assert progress.read(capsys.readouterr().out) == (3, 3, "documents [of 3]")


def test_the_words_of_a_stage_are_its_own():
    assert progress.read('{"done": 1, "total": 2, "note": ""}\n') is None
    assert progress.read("hfllm 3 of 5\n") is None


def test_it_is_cheap_to_report_often(capsys):
    for done in range(1, 10_001):
        progress.report(done, 10_000)
    lines = capsys.readouterr().out.strip("\n").split("\n")  # \x1e would split, too
    assert len(lines) < 100
    assert progress.read(lines[-1]) == (10_000, 10_000, "")  # the end is always told


def test_other_processes_are_silent(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    progress.report(2, 2)
    assert capsys.readouterr().out == ""


def test_nobody_looks_at_a_file(capsys, monkeypatch):
    monkeypatch.delenv("HFLLM_PROGRESS")
    progress.report(2, 2)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
