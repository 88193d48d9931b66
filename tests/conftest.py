"""What the tests share. Nothing is read from or written to the user's own cache."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two threads are far slower than one when a neighbour is busy


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """A cache folder for this test run alone; servers that the tests start inherit it."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["DIGITS_AND_SIGNS_CACHE"] = str(folder)
    return folder
