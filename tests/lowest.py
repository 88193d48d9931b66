"""The tests on the lowest versions that pyproject.toml allows: python3.12 tests/lowest.py [--keep DIR] [-x ...]

Makes a virtual environment with each dependency at its lower bound, which are those of a ZeroGPU Space (Python 3.12,
torch 2.10), and runs the tests that need no browser. It takes some gigabytes, downloads them, and removes them at its
end, unless they are to be kept for the next time.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
WITHOUT = {"playwright", "ruff", "vtk"}  # browsers, linting, drawing: not what runs on a Space


def lowest(requirements: list[str]) -> list[str]:
    """`name>=1.2,<3` becomes `name==1.2`."""
    return [re.sub(r">=([\d.]+).*", r"==\1", each) for each in requirements]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where the environment stays, or is already")
    options, others = parser.parse_known_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = lowest(project["dependencies"])
    tools = [each for each in project["optional-dependencies"]["test"] if re.match(r"\w+", each)[0] not in WITHOUT]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "venv"
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not python.exists():
            venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted, *tools], check=True)
        print("\n".join([sys.version, *wanted]), flush=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run([python, "-m", "pytest", *others], cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
