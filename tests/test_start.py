"""What a server loads when it starts: the page opens without waiting for torch."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_a_server_opens_without_torch():
    code = "import sys; from demo.app import server; server(); print({'torch', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "set()", done.stderr[-2000:]
