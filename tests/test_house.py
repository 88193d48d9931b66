"""The house's order: who imports whom, what is installed, what a Space installs."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The way of the data is the way of the files: each imports only from those before it.
ORDER = (
    "task machine workers images strokes ink pieces digits scribbles hands no_hands dataset mnist extra_digits "
    "sign_csv sign_mnist photos data augment augment_photos hand_models palm_body hand_finder models layer_table "
    "compiled fused_functions fused_layers fused_adam run step fit calibrate checkpoint export frozen hand_scenes "
    "fit_finder fit_photos reading digit_reader lesson_sign_reader sign_reader predict evaluate_photos evaluate "
    "evaluate_digits lesson_loop benchmark_answers benchmark __main__"
).split()


def imported_by(file: Path) -> set[str]:
    """Full names of the modules that a file imports, whether at its top or within functions."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def test_imports_within_train_run_one_way():
    for file in (ROOT / "train").glob("*.py"):
        if file.stem == "__init__":
            continue
        assert file.stem in ORDER, f"train/{file.name} has no place in the order of the data"
        used = {name.split(".")[1] for name in imported_by(file) if name.startswith("train.")}
        later = [name for name in used if name in ORDER and ORDER.index(name) >= ORDER.index(file.stem)]
        assert not later, f"train/{file.name} imports {later}, which come after it"


def test_train_imports_neither_demo_nor_gradio():
    for file in (ROOT / "train").glob("*.py"):
        roots = {name.split(".")[0] for name in imported_by(file)}
        assert not roots & {"demo", "gradio"}, file.name


def test_importing_train_loads_no_gradio():
    code = "import sys, train.predict, train.fit, train.data; print('gradio' in sys.modules)"
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
    assert plain <= {"pyproject.toml", "README.md", "LICENSE", "requirements.txt", "packages.txt"} | {
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


def test_no_data_set_but_mnist_is_in_the_repository():
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT).stdout.splitlines()
    data = [name for name in tracked if name.endswith((".csv", ".tra", ".gz", ".npz", ".npy", ".jpg", ".jpeg"))]
    assert all(name.startswith("assets/mnist/") for name in data)
