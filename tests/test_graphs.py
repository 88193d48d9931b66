"""The graphs that reading runs compute what the networks do, whatever the weights; and what does not fit is told."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from train.answer.frozen import GRAPHS, INDEX, Classifier, Frozen, frozen, graph_name, opened
from train.answer.graphs import MADE, write_graphs
from train.answer.parts import MANY, Live, answer, parts_of
from train.learn import checkpoint
from train.learn.checkpoint import CheckpointError, Metadata, default_path
from train.learn.networks import build
from train.task import ASL, MNIST, TASKS


def lively(name: str, options: dict, seed: int = 0) -> nn.Module:
    """A network with random weights, its normalisations too, that keep numbers in bounds."""
    torch.manual_seed(seed)
    model = build(name, **options).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for value, low in ((layer.weight, 0.5), (layer.bias, -0.5), (layer.running_mean, -0.5)):
                value.data.uniform_(low, low + 1)
            layer.running_var.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize("name", MADE)
def test_a_graph_computes_what_the_network_computes(name):
    """Fails when a network's layers were changed and `python -m train.export --graphs` was not run since."""
    options, shape = MADE[name]
    model = lively(name, options)
    weights = {key: value.numpy() for key, value in model.state_dict().items()}
    run, live = Frozen(name, weights), Live(model, shape)
    for part, asked in parts_of(model, shape).items():
        for count in (1, 3) if asked.many else (1,):
            random = np.random.default_rng(count)
            sizes = [(count, *size[1:]) if asked.many else size for size in asked.inputs.values()]
            inputs = [random.random(size, dtype=np.float32) for size in sizes]
            for wanted, given in zip(live(part, *inputs), run(part, *inputs), strict=True):
                assert given.shape == wanted.shape and given.dtype == np.float32
                largest = max(float(np.abs(wanted).max()), 1e-6)
                assert np.abs(given - wanted).max() < 1e-4 * largest, (part, count)


def test_the_shares_are_feature_maps_times_the_slope_of_the_best_score():
    model = lively("custom", {"channels": (4, 8), "hidden": 16})
    pixels = torch.rand(MANY, 1, 28, 28)
    maps, scores, shares = answer(model, pixels)
    assert torch.allclose(scores, model(pixels)) and torch.allclose(maps, model.features(pixels))
    layers = list(model.features)
    at = nn.Sequential(*layers[:-1])(pixels).detach()
    assert isinstance(layers[-1], nn.MaxPool2d)
    step, winners = 1e-2, scores.argmax(1)
    summed = (at * 0).sum(1)
    with torch.no_grad():  # shares add up to the score's slope along the maps themselves
        grown = model.classifier(layers[-1](at * (1 + step)))[range(MANY), winners]
    along = (grown - scores[range(MANY), winners]) / step
    slopes = torch.autograd.functional.jvp(
        lambda maps: model.classifier(layers[-1](maps))[range(MANY), winners], at, at
    )[1]
    assert torch.allclose(along, slopes, rtol=0.05, atol=1e-3)
    assert shares.shape == summed.shape and (shares >= 0).all() and (shares.flatten(1).sum(1) >= slopes - 1e-4).all()


def test_the_index_lists_the_files_and_all_is_small():
    about = json.loads((GRAPHS / INDEX).read_text("utf-8"))["networks"]
    files = {graph_name(name, part) for name in about for part in about[name]["parts"]}
    assert set(about) == set(MADE) and files | {INDEX} == {file.name for file in GRAPHS.iterdir()}
    assert sum(file.stat().st_size for file in GRAPHS.iterdir()) < 500_000


def test_a_graph_is_made_anew_and_the_others_stay(tmp_path):
    files = write_graphs(tmp_path, ("sprint-net",))
    about = json.loads((tmp_path / INDEX).read_text("utf-8"))["networks"]
    shipped = json.loads((GRAPHS / INDEX).read_text("utf-8"))["networks"]
    assert [file.name for file in files] == ["sprint-net-answer.onnx", INDEX]
    assert about == {"sprint-net": shipped["sprint-net"]}


@pytest.mark.parametrize("task", TASKS)
def test_a_network_without_a_graph_is_read_by_torch(tmp_path, task):
    task = TASKS[task]
    model = lively("custom", {"channels": (4, 8), "hidden": 16, "classes": len(task.labels)})
    about = Metadata.of(task, task.recipe("best")).but(
        network="custom", options={"channels": (4, 8), "hidden": 16, "classes": len(task.labels)}
    )
    checkpoint.save(tmp_path / "own.safetensors", model, about)
    network, read = opened(tmp_path / "own.safetensors", task.name)
    assert isinstance(network, Live) and read.network == "custom"
    pixels = np.random.default_rng(0).integers(0, 256, (2, *task.input_shape), np.uint8)
    scores = Classifier(network, read)(pixels)[1]
    with torch.no_grad():
        wanted = model((torch.from_numpy(pixels).float() / 255 - task.mean) / task.std)
    assert np.allclose(scores, wanted, atol=1e-5)


def test_half_precision_is_read_and_all_else_is_refused_by_name(tmp_path):
    file, about = tmp_path / "net.safetensors", Metadata.of(MNIST, MNIST.recipe("lesson"))
    model = build("mnist-cnn")
    checkpoint.save(file, model, about, half=True)
    assert Classifier.opened(file, "mnist")(np.zeros((1, 1, 28, 28), np.uint8))[1].shape == (1, 10)

    def refused(**weights) -> str:
        state = {**build("mnist-cnn").state_dict(), **weights}
        model.state_dict = lambda *_, **__: {key: value for key, value in state.items() if value is not None}
        checkpoint.save(file, model, about)
        with pytest.raises(CheckpointError, match=r"net\.safetensors") as caught:
            Classifier.opened(file, "mnist")
        return str(caught.value)

    bias = {"classifier.3.bias": torch.zeros(10)}
    assert "holds NaN or infinity" in refused(**{name: value + float("nan") for name, value in bias.items()})
    assert "is of type int64" in refused(**{name: value.long() for name, value in bias.items()})
    assert "is of shape (9,), not (10,)" in refused(**{name: value[1:] for name, value in bias.items()})
    assert "lacks classifier.3.bias" in refused(**dict.fromkeys(bias))
    assert "does not know more" in refused(more=torch.zeros(1))
    huge = {"classifier.1.bias": torch.full((128,), 3e38), "classifier.3.weight": torch.full((10, 128), 3e38)}
    assert "scores that are NaN or infinite" in refused(**huge)
    with pytest.raises(CheckpointError, match="trained for task asl"):
        opened(default_path("asl"), MNIST.name)


def test_a_network_in_memory_is_frozen_with_its_own_weights():
    model, about = lively("asl-cnn", {}), Metadata.of(ASL, ASL.recipe("best"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 28, 28), np.uint8)
    own, other = (Classifier(frozen(each, about), about)(pixels)[1] for each in (model, lively("asl-cnn", {}, seed=1)))
    assert not np.allclose(own, other)


def test_a_run_becomes_onnx_in_a_process_of_its_own(tmp_path, monkeypatch):
    from demo.training import workshop
    from demo.wire import NotReady

    workshop.store.keep("own", checkpoint.packed(build("sprint-net"), Metadata.of(MNIST, MNIST.recipe("sprint"))))
    monkeypatch.chdir(tmp_path)  # wherever the server was started
    workshop.keep_onnx("own")
    file = workshop.store.path("own").with_suffix(".onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["scores", "probabilities"]
    file.unlink()
    workshop.store.path("own").write_bytes(b"damaged")
    with pytest.raises(NotReady) as caught:
        workshop.keep_onnx("own")
    assert caught.value.message.code == "keep.onnx"
