"""Settings of the whole suite, made before any library reads them."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # no test needs a network, and none may wait for one
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models of the tests are so small that a second thread costs more
