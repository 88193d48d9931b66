"""The lessons' networks, layer by layer."""

import pytest
import torch

from train.fast.layers import pooling_first
from train.learn.layer_table import layers, summary
from train.learn.networks import AslCNN, MnistCNN, build, output_size, parameter_count
from train.task import UsageError


def test_the_digit_network_has_the_lessons_421642_parameters():
    convolutions = (32 * 1 * 3 * 3 + 32) + (64 * 32 * 3 * 3 + 64)
    fully_connected = (3136 * 128 + 128) + (128 * 10 + 10)
    assert parameter_count(MnistCNN()) == convolutions + fully_connected == 421_642


def test_the_sign_network_has_the_lessons_parameters():
    convolutions = (25 * 1 * 9 + 25) + (50 * 25 * 9 + 50) + (75 * 50 * 9 + 75)
    batch_norms = 2 * 25 + 2 * 50 + 2 * 75
    fully_connected = (675 * 512 + 512) + (512 * 24 + 24)
    assert parameter_count(AslCNN()) == convolutions + batch_norms + fully_connected == 404_099


@pytest.mark.parametrize(("network", "classes"), [(MnistCNN, 10), (AslCNN, 24)])
def test_a_batch_of_pictures_becomes_a_score_for_each_class(network, classes):
    assert network()(torch.zeros(3, 1, 28, 28)).shape == (3, classes)


def test_the_layers_are_in_the_lessons_order():
    kinds = [type(layer).__name__ for layer in AslCNN().features]
    block = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds == [*block, "MaxPool2d", *block, "Dropout", "MaxPool2d", *block, "MaxPool2d"]
    assert [layer.p for layer in AslCNN().modules() if isinstance(layer, torch.nn.Dropout)] == [0.2, 0.3]
    assert [type(layer).__name__ for layer in MnistCNN().features] == ["Conv2d", "ReLU", "MaxPool2d"] * 2


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"), [(28, 3, 1, 1), (28, 5, 1, 0), (7, 2, 2, 0), (9, 3, 2, 1)]
)
def test_the_size_formula_agrees_with_torch(size, kernel, stride, padding):
    layer = torch.nn.Conv2d(1, 1, kernel, stride, padding)
    assert layer(torch.zeros(1, 1, size, size)).shape[-1] == output_size(size, kernel, stride, padding)


def test_the_summary_shows_shapes_parameters_and_the_formula_filled_in():
    text = summary(MnistCNN(), (1, 28, 28))
    assert "(28 - 3 + 2*1)/1 + 1 = 28" in text and "64x7x7" in text and "421,642" in text


def test_the_layer_table_leaves_the_network_as_it_was():
    model = AslCNN().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rows = layers(model, (1, 28, 28))
    assert sum(row["parameters"] for row in rows) == 404_099 and rows[-1]["output"] == (24,)
    assert model.training and all(torch.equal(before[n], t) for n, t in model.state_dict().items())


def test_an_unknown_network_is_refused_by_name():
    with pytest.raises(UsageError, match=r"no network 'resnet-9000'.*mnist-cnn"):
        build("resnet-9000")


@pytest.mark.parametrize("name", ["mnist-cnn", "digit-net", "sprint-net", "asl-cnn", "custom"])
def test_pooling_before_relu_changes_neither_answers_nor_gradients(name):
    torch.manual_seed(0)
    model = build(name).eval()
    images = torch.rand(4, 1, 28, 28)
    gradients = []
    for way in (model, pooling_first(model)):
        model.zero_grad()
        way(images).square().sum().backward()
        gradients.append([way(images).detach(), *(parameter.grad.clone() for parameter in model.parameters())])
    for plain, quick in zip(*gradients, strict=True):
        assert torch.allclose(plain, quick, rtol=1e-4, atol=1e-5)


def test_pooling_before_relu_leaves_the_networks_own_order():
    model = build("mnist-cnn")
    quick = pooling_first(model)
    assert [type(layer).__name__ for layer in quick.features[:3]] == ["Conv2d", "MaxPool2d", "ReLU"]
    assert [type(layer).__name__ for layer in model.features[:3]] == ["Conv2d", "ReLU", "MaxPool2d"]
    assert all(one is two for one, two in zip(model.parameters(), quick.parameters(), strict=True))


def test_the_sprint_network_has_29610_parameters():
    assert (
        parameter_count(build("sprint-net"))
        == 16 * 36 + 32 * 16 * 9 + 64 * 32 * 9 + 2 * (16 + 32 + 64) + 5770
        == 29_610
    )
