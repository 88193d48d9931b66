"""What is arithmetic in the page's scripts, tested by Node's own test runner: node --test tests/js"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "js"


@pytest.mark.parametrize("file", sorted(TESTS.glob("*.test.js")), ids=lambda file: file.name)
def test_scripts(file):
    node = shutil.which("node")
    if node is None:
        assert not os.environ.get("CI"), "there is no node to test scripts with"
        pytest.skip("there is no node to test scripts with")
    done = subprocess.run([node, "--test", str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
