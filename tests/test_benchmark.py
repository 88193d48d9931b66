"""The benchmark measures what it says it does: python -m pytest tests/test_benchmark.py"""

import json

import numpy as np
import pytest
import torch

from train.answer.frozen import Classifier, frozen
from train.benchmark import __main__ as benchmark
from train.benchmark import answers as benchmark_answers
from train.data.sign_csv import HEADER
from train.learn import checkpoint
from train.learn.checkpoint import Metadata
from train.learn.networks import build
from train.task import ASL, MNIST


@pytest.fixture
def figures(tmp_path, capsys):
    """Runs the command line; returns a section's figures from the JSON file, and what was printed."""

    def run(section: str, *arguments: str):
        file = tmp_path / "figures.json"
        assert benchmark.main(["--only", section, "--threads", "1", "--json", str(file), *arguments]) == 0
        return json.loads(file.read_text())["figures"][section], capsys.readouterr().out

    return run


def test_the_lessons_loop_and_ours_are_compared_in_pairs(figures, monkeypatch):
    monkeypatch.setattr(benchmark, "QUICK_PAIRS", 2)
    monkeypatch.setattr(benchmark, "QUICK_STEPS", 3)
    threads = torch.get_num_threads()
    found, printed = figures("loop", "--quick")
    assert torch.get_num_threads() == threads
    by_name = {each["what"].split(",")[0]: each["numbers"] for each in found}
    assert len(by_name["lesson"]["all"]) == len(by_name["ours"]["all"]) == 2
    assert by_name["ours"]["median"] > by_name["lesson"]["median"] > 0
    assert "times" in printed and "load average" in printed


def test_fused_layers_are_compared_with_torchs(figures, monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "QUICK_PAIRS", 1)
    fused = []
    train = benchmark._train
    monkeypatch.setattr(
        benchmark, "_train", lambda run, *rest, **how: fused.append(run.fused) or train(run, *rest, **how)
    )
    found, printed = figures("layers", "--quick", "--data", str(tmp_path))
    assert fused == [True, False] * 6  # three recipes, a warm-up and a pair of each
    for each in found[:3]:
        assert len(each["numbers"]["ours"]) == len(each["numbers"]["torch"]) == 1
        assert "times" in each["shown"]
    assert "left out" in printed  # signs that are not there


def test_without_a_compiler_there_are_no_layers_to_compare(figures, monkeypatch):
    monkeypatch.setattr(benchmark, "library", lambda: None)
    found, printed = figures("layers", "--quick")
    assert [each["what"] for each in found] == ["left out"] and "if there is a C++ compiler" in printed


def test_sprint_reads_99_percent_after_one_epoch(figures):
    found, _ = figures("sprint", "--seeds", "2")
    accuracies = found[0]["numbers"]["accuracies"]
    assert len(accuracies) == len(found[0]["numbers"]["seconds"]) == 2
    assert min(accuracies) >= 0.988 and found[0]["numbers"]["mean"] >= 0.99


def test_answers_are_measured_beside_onnx_runtimes_own(figures, monkeypatch):
    def once(ways, rounds):
        for work in ways.values():
            work()
        return dict.fromkeys(ways, 1e-3)

    monkeypatch.setattr(benchmark_answers, "medians", once)
    found, printed = figures("answers", "--quick")
    assert sum("ONNX Runtime" in each["shown"] for each in found) == 8 and "sketch" in printed


def test_loading_is_measured_or_left_out_with_a_reason(figures, tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (30, 785)) % [25, *[256] * 784]
    rows[:, 0] = np.arange(30) % 9
    rows[0, 0] = 24
    lines = [",".join(HEADER), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "sign_mnist_train.csv").write_text("\n".join(lines) + "\n")
    found, _ = figures("loading", "--data", str(tmp_path))
    assert [each["what"] for each in found if "cache" in each["what"]]
    found, printed = figures("loading", "--data", str(tmp_path / "nowhere"))
    assert found[-1]["what"] == "left out" and "nowhere" in printed


def test_an_unknown_section_is_refused(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--only", "speed"])
    assert "loop, layers, sprint, best, asl, answers, loading" in capsys.readouterr().err


@pytest.mark.parametrize("task", [MNIST, ASL])
@pytest.mark.parametrize("recipe", ["best", "lesson"])
def test_a_frozen_network_answers_as_the_network_does(task, recipe):
    recipe = task.recipe(recipe)
    torch.manual_seed(0)
    model = build(recipe.network).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (3, *task.input_shape), np.uint8)
    about = Metadata.of(task, recipe)
    maps, scores, _ = Classifier(frozen(model, about), about)(pixels)
    with torch.inference_mode():
        expected = model.features((torch.from_numpy(pixels).float() / 255 - task.mean) / task.std)
        assert np.allclose(maps, expected, atol=1e-4)
        assert np.allclose(scores, model.classifier(expected), atol=1e-4)


def test_the_shipped_networks_can_be_frozen():
    for task in (MNIST, ASL):
        model, about = checkpoint.load(checkpoint.default_path(task.name))
        scores = Classifier(frozen(model, about), about)(np.zeros((2, *task.input_shape), np.uint8))[1]
        assert scores.shape == (2, len(task.labels)) and np.isfinite(scores).all()
