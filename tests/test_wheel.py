"""An installed copy, somewhere else, has all that reading needs: packages, pages, C++ sources, networks, pictures."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the tracked files: building leaves its own in the folder."""
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools is older than pyproject.toml asks for")
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode:
        pytest.skip("only a checkout tells which files belong to it")
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(out)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=copy)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_package_page_source_network_and_asset(wheel):
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    wanted = {name for name in tracked if name.startswith(("train/", "demo/")) and not name.endswith("package.json")}
    wanted |= {f"train/{name}" for name in tracked if name.startswith("checkpoints/")}
    wanted |= {f"train/{name}" for name in tracked if name.startswith("assets/") and "screenshot" not in name}
    assert not sorted(wanted - held)


def test_an_installed_copy_reads_a_digit(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")  # as pip does with a wheel of Python alone
    picture = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(picture).line((100, 30, 100, 170), fill=0, width=12)
    picture.save(tmp_path / "one.png")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-P", "-m", "train.predict", "mnist", str(tmp_path / "one.png")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0 and '"label": "1"' in done.stdout, done.stderr
    where = "import train, demo; from train.learn.checkpoint import FOLDER; print(train.__file__, FOLDER)"
    said = subprocess.run([sys.executable, "-P", "-c", where], capture_output=True, text=True, cwd=tmp_path,
                          env=environment, check=True).stdout  # fmt: skip
    assert said.count(str(tmp_path / "installed")) == 2
