"""Looking inside: what it says of a network is what torch computes. pytest tests/test_inside.py"""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from train.inside.channels import channel_sum
from train.inside.contents import contents, round_trip
from train.inside.features import pushes
from train.inside.maps import InsideError, normalised, trace
from train.inside.modes import batchnorm, has_dropout, throws
from train.inside.pack import pack, unpack
from train.inside.pupil import Pupil, silent
from train.learn.checkpoint import Metadata
from train.learn.networks import build
from train.task import ASL, HANDS, MNIST

KINDS = {
    "mnist-cnn": (MNIST, {}),
    "digit-net": (MNIST, {}),
    "sprint-net": (MNIST, {}),
    "asl-cnn": (ASL, {}),
    "custom": (MNIST, {"channels": [6, 8], "kernel": 5, "batchnorm": True, "dropout": 0.4, "hidden": 20}),
}


def network(kind: str, seed: int = 0):
    """A network with random weights and running averages, its metadata, and pictures for it."""
    torch.manual_seed(seed)
    task, options = KINDS[kind]
    model = build(kind, **options).eval()
    if kind == "asl-cnn":
        nn.init.normal_(model.classifier[-1].bias)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.bias)
    about = Metadata(task.name, kind, task.labels[: model(torch.zeros(1, *task.input_shape)).shape[1]],
                     task.mean, task.std, task.input_shape, options, temperature=1.3)  # fmt: skip
    return model, about, torch.randint(0, 256, (4, *task.input_shape), dtype=torch.uint8)


@pytest.fixture(params=KINDS)
def three(request):
    return network(request.param)


def test_every_map_is_what_the_layers_compute_one_after_the_other(three):
    model, about, pictures = three
    found = trace(model, about, pictures[0])
    x = (pictures[:1].float() / 255 - about.mean) / about.std
    leaves = [*model.features, *model.classifier]
    assert [layer.name for layer in found.layers] == [
        f"{part}.{number}" for part in ("features", "classifier") for number in range(len(getattr(model, part)))
    ]
    for layer, seen in zip(leaves, found.layers, strict=True):
        x = layer(x)
        assert torch.allclose(seen.maps.flatten(), x.flatten(), atol=1e-4), seen.name
    assert torch.allclose(found.probabilities, (x[0] / about.temperature).softmax(0), atol=1e-4)
    assert found.answer == int(x.argmax())


def test_a_map_matters_as_much_as_the_score_changes_with_it(three):
    model, about, pictures = three
    found = trace(model, about, pictures[0])
    layer = next(layer for layer in found.layers if layer.kind == "ReLU")
    module = dict(model.named_modules())[layer.name]
    for number in layer.order[:3].tolist():
        scale = torch.ones(1, len(layer.maps), 1, 1, dtype=torch.float64, requires_grad=True)
        one = torch.zeros_like(scale)
        one[:, number] = 1
        double = copy.deepcopy(model).double()
        at = dict(double.named_modules())[layer.name]
        handle = at.register_forward_hook(lambda _, __, out, one=one, scale=scale: out * (1 + one * (scale - 1)))
        score = double(normalised(about, pictures[0]).double())[0, found.answer]
        handle.remove()
        slope = float(torch.autograd.grad(score, scale)[0][0, number])
        assert slope == pytest.approx(float(layer.matters[number]), abs=1e-4)
    assert module.training is False and not module._forward_hooks


def test_the_maps_that_matter_most_come_first():
    model, about, pictures = network("digit-net")
    for layer in trace(model, about, pictures[0]).layers:
        sizes = layer.matters.abs()[layer.order]
        assert bool((sizes[:-1] >= sizes[1:]).all())


def test_the_strongest_place_holds_the_largest_value(three):
    model, about, pictures = three
    for layer in trace(model, about, pictures[0]).layers:
        for maps, (row, column) in zip(layer.maps, layer.strongest.tolist(), strict=True):
            assert maps[row, column] == maps.max()


@pytest.mark.parametrize("kind", [*KINDS, "hand-reader"])
def test_a_receptive_field_is_where_the_gradient_reaches(kind):
    """Every pixel in the field changes the place, none outside does: ReLUs out of the way, weights all positive."""
    if kind == "hand-reader":
        torch.manual_seed(0)
        model = build(kind).eval()
        about = Metadata("asl", kind, HANDS.labels, 0.0, 1.0, HANDS.input_shape)
        pictures = torch.randint(0, 256, (1, *HANDS.input_shape), dtype=torch.uint8)
    else:
        model, about, pictures = network(kind)
    found = trace(model, about, pictures[0])
    linear = copy.deepcopy(model).double()
    for name, parameter in linear.named_parameters():
        parameter.data.abs_().clamp_(min=0.01)
        if kind == "hand-reader":  # its ReLUs end at 6: means, not sums, stay below
            if name.endswith("weight") and parameter.dim() > 1:
                parameter.data /= parameter.data.flatten(1).sum(1).view(-1, *[1] * (parameter.dim() - 1))
            else:
                parameter.data.zero_()
    caught = {}
    for name, layer in linear.named_modules():
        if isinstance(layer, nn.MaxPool2d):  # the winner alone has a gradient: the mean reaches as far, and all of it
            layer.forward = lambda x, k=layer.kernel_size: F.avg_pool2d(x, k)
        layer.register_forward_hook(lambda _, __, out, name=name: caught.__setitem__(name, out))
    at = torch.full((1, *about.input_shape), 1e-3, dtype=torch.float64, requires_grad=True)
    linear(at)
    wide = [layer for layer in found.layers if layer.field]
    for layer in wide[:: max(len(wide) // 8, 1)]:
        height, width = layer.maps.shape[1:]
        row, column = height // 2, width - 1
        slope = torch.autograd.grad(caught[layer.name][0, 0, row, column], at, retain_graph=True)[0][0].abs().sum(0)
        rows, columns = (slope.sum(axis).nonzero().flatten() for axis in (1, 0))
        (top, bottom), (left, right) = layer.field.of(row), layer.field.of(column)
        last = about.input_shape[1] - 1
        assert (max(top, 0), min(bottom, last)) == (int(rows[0]), int(rows[-1])), layer.name
        assert (max(left, 0), min(right, last)) == (int(columns[0]), int(columns[-1])), layer.name


def test_a_map_of_the_next_layer_is_the_sum_of_its_parts(three):
    model, about, pictures = three
    found = trace(model, about, pictures[0])
    for layer in found.layers:
        if layer.kind == "Conv2d":
            number = len(layer.maps) - 1
            taken = channel_sum(model, about, pictures[0], layer.name, number)
            assert torch.allclose(taken.parts.sum(0) + taken.bias, layer.maps[number], atol=1e-4)
            assert taken.parts.shape[0] == layer.inputs[0] == len(taken.inputs)
            assert float(taken.shares.sum()) == pytest.approx(1, abs=1e-4)


def test_parts_of_a_photo_network_sum_up_too_with_its_own_padding_and_groups():
    torch.manual_seed(1)
    model = build("hand-reader").eval()
    about = Metadata("asl", "hand-reader", HANDS.labels, 0.0, 1.0, HANDS.input_shape)
    picture = torch.randint(0, 256, HANDS.input_shape, dtype=torch.uint8)
    for name in ("backbone.stem", "backbone.blocks.1.depthwise", "backbone.blocks.8.project"):
        taken = channel_sum(model, about, picture, name, 5)
        assert torch.allclose(taken.parts.sum(0) + taken.bias, taken.result, atol=1e-4), name


def test_pushes_and_what_the_biases_add_are_the_score(three):
    model, about, pictures = three
    found = pushes(model, about, pictures[0])
    with torch.no_grad():
        scores = model(normalised(about, pictures[0]))[0]
        nothing = model.double().classifier  # in float64, without features: the biases alone
        weights = [layer for layer in nothing if isinstance(layer, nn.Linear)]
        x = found.values.double()
        slope, constant = torch.eye(len(x), dtype=torch.float64), torch.zeros(len(x), dtype=torch.float64)
        for number, linear in enumerate(weights):  # an active unit passes on what it gets; a silent one nothing
            slope, constant = linear.weight @ slope, linear.weight @ constant + linear.bias
            if number < len(weights) - 1:
                active = (slope @ x + constant > 0).double()
                slope, constant = slope * active[:, None], constant * active
    assert torch.allclose(found.pushes, (slope * x).float(), atol=1e-4)
    assert torch.allclose(found.constant, constant.float(), atol=1e-4)
    assert torch.allclose(found.pushes.sum(1) + found.constant, scores, atol=1e-4)


def test_the_largest_pushes_name_their_map_and_place():
    model, about, pictures = network("digit-net")
    found = pushes(model, about, pictures[0])
    maps = trace(model, about, pictures[0]).layers[-3].maps  # before Flatten
    largest = found.largest(3, 20)
    assert len(largest) == 20 and abs(largest[0][4]) == pytest.approx(float(found.pushes[3].abs().max()))
    for number, row, column, value, _ in largest:
        assert float(maps[number, row, column]) == pytest.approx(value, abs=1e-4)


def test_batchnorm_in_training_and_evaluation_is_torchs(three):
    model, about, pictures = three
    found = batchnorm(model, about, pictures)
    state = {name: t.clone() for name, t in model.state_dict().items()}
    x = torch.cat([normalised(about, picture) for picture in pictures])
    names = [name for name, layer in model.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    assert [each.name for each in found] == names
    for mode in ("evaluation", "training"):
        twin = copy.deepcopy(model)
        for layer in twin.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.train(mode == "training")
        seen = {}
        for name in names:
            dict(twin.named_modules())[name].register_forward_hook(
                lambda _, __, out, name=name, seen=seen: seen.__setitem__(name, out)
            )
        twin(x)
        for each in found:
            assert torch.allclose(getattr(each, mode), seen[each.name][0], atol=1e-4)
    assert all(torch.equal(t, state[name]) for name, t in model.state_dict().items())  # nothing was learned


def test_batchnorm_of_one_picture_has_no_batch():
    model, about, pictures = network("digit-net")
    with pytest.raises(InsideError, match="batch"):
        batchnorm(model, about, pictures[:1])


def test_dropout_is_thrown_anew_and_at_rate_0_changes_nothing(three):
    model, about, pictures = three
    calm = trace(model, about, pictures[0]).probabilities
    assert torch.allclose(throws(model, about, pictures[0], 3, rate=0.0), calm.expand(3, -1), atol=1e-4)
    thrown = throws(model, about, pictures[0], 50, seed=1, rate=0.5)
    assert thrown.shape == (50, len(about.labels)) and float(thrown.std(0).max()) > 0
    assert torch.equal(thrown, throws(model, about, pictures[0], 50, seed=1, rate=0.5))
    assert not torch.equal(thrown, throws(model, about, pictures[0], 50, seed=2, rate=0.5))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.modules())


def test_dropout_keeps_the_mean_and_drops_its_share():
    """On the last hidden layer alone, the mean of many throws' scores is the score without: a linear layer follows."""
    model, about, pictures = network("mnist-cnn")
    assert not has_dropout(model) and has_dropout(network("asl-cnn")[0])
    about = about.but(temperature=1.0)
    many = throws(model, about, pictures[0], 1000, rate=0.5).log()
    many = many - many.mean(1, keepdim=True)  # softmax's inverse, up to a constant
    calm = trace(model, about, pictures[0]).scores
    assert torch.allclose(many.mean(0), calm - calm.mean(), atol=0.04)


def test_a_step_of_learning_is_adams():
    model, about, pictures = network("asl-cnn")
    untouched = {name: t.clone() for name, t in model.state_dict().items()}
    pupil, twin = Pupil(model, about), copy.deepcopy(model).eval()
    adam = torch.optim.Adam(twin.parameters(), lr=0.01)
    for _ in range(3):
        step = pupil.learn(pictures[0], 5, 0.01)
        old = copy.deepcopy(twin.state_dict())
        adam.zero_grad()
        loss = F.cross_entropy(twin(normalised(about, pictures[0])), torch.tensor([5]))
        loss.backward()
        adam.step()
        assert step.loss == pytest.approx(float(loss.detach()), abs=1e-4)
        by_name = {layer.name: layer for layer in step.layers}
        last = twin.classifier[-1]
        gradient = torch.cat([last.weight.grad.flatten(), last.bias.grad.flatten()]).norm()
        change = torch.cat([(p - old[f"classifier.4.{n}"]).flatten() for n, p in last.named_parameters()]).norm()
        assert by_name["classifier.4"].gradient == pytest.approx(float(gradient), abs=1e-4)
        assert by_name["classifier.4"].step == pytest.approx(float(change.detach()), abs=1e-4)
        after = twin(normalised(about, pictures[0]))[0].softmax(0)
        assert torch.allclose(step.after, after, atol=1e-4)
    for name, tensor in pupil.model.state_dict().items():
        assert torch.allclose(tensor, twin.state_dict()[name], atol=1e-4)
    assert all(torch.equal(t, untouched[name]) for name, t in model.state_dict().items())


def test_a_copied_pupil_goes_its_own_way():
    model, about, pictures = network("mnist-cnn")
    pupil = Pupil(model, about)
    pupil.learn(pictures[0], 1, 0.001)
    other = pupil.copy()
    kept = copy.deepcopy(pupil.model.state_dict())
    first = other.learn(pictures[0], 1, 0.001)
    assert all(torch.equal(t, kept[name]) for name, t in pupil.model.state_dict().items())
    assert torch.allclose(pupil.learn(pictures[0], 1, 0.001).after, first.after, atol=1e-6)  # the same next step


def test_a_step_that_is_far_too_large_silences_relus():
    model, about, pictures = network("mnist-cnn")
    before = silent(model, about, pictures)
    pupil = Pupil(model, about)
    for _ in range(3):
        pupil.learn(pictures[0], 1, 1.0)
    after = silent(pupil.model, about, pictures)
    assert set(before) == {"features.1", "features.4", "classifier.2"}
    assert after["features.4"] > before["features.4"]
    with torch.no_grad():  # by hand, for the last
        seen = pupil.model.classifier[:3](pupil.model.features(torch.cat([normalised(about, p) for p in pictures])))
    assert after["classifier.2"] == pytest.approx(float((seen.amax(0) <= 0).float().mean()))


def test_a_step_for_a_class_that_does_not_exist_is_refused():
    model, about, pictures = network("mnist-cnn")
    with pytest.raises(InsideError, match="no class 10"):
        Pupil(model, about).learn(pictures[0], 10, 0.01)


def test_a_checkpoint_lists_all_it_holds_and_gives_the_same_answer_again(three):
    model, about, pictures = three
    held = contents(model)
    assert sum(np.prod(each.shape, dtype=int) for each in held if each.learned) == sum(
        p.numel() for p in model.parameters()
    )
    trip = round_trip(model, about, pictures[0])
    assert torch.equal(trip.before, trip.after) and trip.size > sum(each.size for each in held)


def test_maps_are_packed_to_a_ten_thousandth_of_their_largest_in_half_the_bytes(three):
    model, about, pictures = three
    found = trace(model, about, pictures[0])
    data = pack({"answer": found.answer}, {layer.name: layer.maps for layer in found.layers})
    header, arrays = unpack(data)
    assert header["answer"] == found.answer
    for layer in found.layers:
        largest = layer.maps.abs().flatten(1).max(1).values[:, None, None].clamp(min=1e-9).numpy()
        assert float((np.abs(arrays[layer.name] - layer.maps.numpy()) / largest).max()) < 1e-4
    assert len(data) < 400_000


def test_damaged_weights_are_said_to_be_damaged():
    model, about, pictures = network("mnist-cnn")
    model.classifier[-1].weight.data[0, 0] = float("nan")
    with pytest.raises(InsideError, match="not a number"):
        trace(model, about, pictures[0])


def test_a_picture_of_another_size_is_refused():
    model, about, _ = network("mnist-cnn")
    with pytest.raises(InsideError, match="1x28x28"):
        trace(model, about, torch.zeros(3, 28, 28, dtype=torch.uint8))


def test_layers_before_the_part_asked_for_are_left_out():
    model, about, pictures = network("mnist-cnn")
    assert trace(model, about, pictures[0], part="classifier").layers[0].name == "classifier.0"
