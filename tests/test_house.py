"""The house's order: who imports whom, what is installed, what a Space installs."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAIN, DEMO = ROOT / "train", ROOT / "demo"
APART = {"digits", "hands"}  # they know nothing of each other


def described(package: Path) -> tuple[str, list[str]]:
    """What the docstring of a package says it is for, and in which order its files are to be read."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8")))
    what, _, order = text.partition("Read in this order:")
    names = " ".join(order.split()).removesuffix(".")
    return what.splitlines()[0].removesuffix("."), names.split(", ") if names else []


def places(package: Path = TRAIN) -> list[str]:
    """All files of a package in reading order, by folder and name: `task`, `data.mnist`, `hands.scenes.camera`."""
    names = []
    for name in described(package)[1]:
        inside = package / name
        names += [f"{name}.{file}" for file in places(inside)] if inside.is_dir() else [name]
    return names


def packages(package: Path = TRAIN) -> list[Path]:
    """The folders within a package, and those within them, in reading order."""
    inside = [package / name for name in described(package)[1] if (package / name).is_dir()]
    return [folder for each in inside for folder in (each, *packages(each))]


# The way of the data is the way of the files: a folder imports only from those before it, as files do.
PLACES = [f"{top.name}.{name}" for top in (TRAIN, DEMO) for name in places(top)]


def place(file: Path) -> str:
    """A file by its folders and name: `train.data.mnist`, `demo.app`."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def imported_by(file: Path) -> set[str]:
    """Full names of the modules that a file imports, whether at its top or within functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def test_every_file_has_a_place():
    files = {place(file) for top in (TRAIN, DEMO) for file in top.rglob("*.py")}
    assert {name for name in files if not name.endswith("__init__")} == set(PLACES)


@pytest.mark.parametrize("name", PLACES)
def test_imports_run_one_way(name):
    used = imported_by(ROOT / f"{name.replace('.', '/')}.py") & set(PLACES)
    later = [each for each in used if PLACES.index(each) >= PLACES.index(name)]
    assert not later, f"{name} imports {later}, which come after it"
    wing, others = name.split(".")[1], {each.split(".")[1] for each in used}
    assert wing not in APART or not others & (APART - {wing}), f"{name} knows of {others & APART}"


def test_the_readme_shows_the_wings_as_their_docstrings_do():
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    for package in packages():
        what, order = described(package)
        assert f"{package.name}/ {what}: {', '.join(order)}" in readme


def test_train_imports_neither_demo_nor_gradio():
    for file in (ROOT / "train").rglob("*.py"):
        roots = {name.split(".")[0] for name in imported_by(file)}
        assert not roots & {"demo", "gradio"}, file


def test_importing_train_loads_no_gradio():
    code = "import sys, train.predict, train.learn.fit, train.data.splits; print('gradio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "False"


def test_the_top_level_is_as_agreed():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if tracked.returncode or not tracked.stdout:
        names = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} - {"tests"}
        assert names == {"demo", "train"}
        return
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    plain = {name for name in top if not name.startswith(".")}
    readmes = {"README.md", "README.zh-TW.md"}
    assert plain <= readmes | {"pyproject.toml", "LICENSE", "requirements.txt", "packages.txt"} | {
        "demo", "train", "tests", "assets", "checkpoints"}  # fmt: skip


def test_requirements_txt_equals_pyproject():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    listed = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert sorted(listed) == sorted(wanted)


def test_the_readme_has_a_spaces_front_matter():
    text = (ROOT / "README.md").read_text("utf-8")
    front = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
    assert front["sdk"] == "gradio" and front["app_file"] == "demo/app.py"
    assert front["python_version"].strip("'\"") == "3.12"
    assert re.fullmatch(r"6\.\d+\.\d+", front["sdk_version"]) and int(front["sdk_version"].split(".")[1]) >= 20


def test_no_data_set_but_mnist_and_our_own_renders_is_in_the_repository():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    data = [name for name in tracked if name.endswith((".csv", ".tra", ".gz", ".npz", ".npy", ".jpg", ".jpeg"))]
    # drawn by train.render.small: nobody's photo
    assert all(name.startswith("assets/mnist/") or name == "assets/rendered/signs-28.npz" for name in data)
