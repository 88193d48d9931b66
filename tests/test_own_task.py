"""A task of one's own, in the lines that the README shows."""

import re
from pathlib import Path

from train.learn import checkpoint

README = Path(__file__).parents[1] / "README.md"


def test_the_readmes_task_of_ones_own_is_learned_and_kept(tmp_path, monkeypatch, capsys):
    section = README.read_text("utf-8").split("## A task of your own")[1].split("\n## ")[0]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 26
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    _, about = checkpoint.load("shapes.safetensors", "shapes")
    assert about.labels == ("circle", "square") and about.test_count == 200 and about.test_accuracy > 0.9
    assert about.epochs == 3 and about.notes["layers"] in ("fused", "torch")
    assert "right" in capsys.readouterr().out
