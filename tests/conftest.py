"""Settings of the whole suite, made before any library reads them."""

import os
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no test needs a network, and none may wait for one
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models of the tests are so small that a second thread costs more


@pytest.fixture(scope="session")
def tool_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned to call the calculator in a few conversations: tests/tool_model.py."""
    from tests import tool_model

    return tool_model.make(tmp_path_factory.mktemp("tool_model") / "model")
