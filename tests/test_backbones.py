"""Models of torchvision and timm by name: how they are built, and where weights come from."""

import hashlib
import re
import shutil
import sys
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from torch import nn
from torchvision import models

from sklearn_cae import ContrastiveAutoencoderClusterer, load, save
from sklearn_cae._storage.fingerprint import describe
from sklearn_cae.backbones import WEIGHTS_VARIABLE, Backbone

CAFFE = {
    "mean": (123.68 / 255, 116.779 / 255, 103.939 / 255),
    "std": (1 / 255, 1 / 255, 1 / 255),
    "channels": "bgr",
}


@pytest.fixture(autouse=True)
def _no_weights_of_this_machine(monkeypatch):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no network in tests")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    monkeypatch.setattr("torch.hub.get_dir", lambda: "/nowhere")
    monkeypatch.setattr("os.makedirs", lambda *args, **kwargs: None)


@pytest.fixture(scope="session")
def resnet():
    """Return a ResNet-18 with random weights, and the statistics of random images."""
    torch.manual_seed(0)
    model = models.resnet18()
    with torch.no_grad():
        for _ in range(10):
            model(torch.rand(16, 3, 32, 32))
    return model.eval()


@pytest.fixture(scope="session")
def saved(resnet, tmp_path_factory):
    """File with the weights of `resnet`, with its checksum in its name. Tests do not change it."""
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet.state_dict(), path)
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(path.with_name(f"resnet18-{digits}.pth"))


@pytest.fixture
def weights(saved, tmp_path):
    """Return a copy of the file, which tests may change."""
    return Path(shutil.copy(saved, tmp_path))


def features_by_hand(resnet, images):
    """Features of a ResNet after ImageNet's preprocessing, step by step."""
    images = nn.functional.interpolate(images, (224, 224), mode="bilinear", antialias=True)
    mean, std = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    images = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    head = nn.Sequential(*list(resnet.children())[:-1], nn.Flatten())
    with torch.no_grad():
        return head(images)


@pytest.mark.parametrize("side", [28, 300])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_images_are_prepared_as_for_imagenet(resnet, weights, side, n_channels):
    network = Backbone("resnet18", weights=weights)((n_channels, side, side)).eval()
    images = torch.rand(2, n_channels, side, side)
    expected = features_by_hand(resnet, images.expand(-1, 3, -1, -1))
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-5)


def test_caffe_expects_blue_first_and_255(data_root):
    path = data_root / "squeezenet1_1_imagenet.pth"
    network = Backbone("squeezenet1_1", weights=path, size=227, **CAFFE)((3, 227, 227)).eval()
    model = models.squeezenet1_1()
    model.load_state_dict(torch.load(path, weights_only=True))
    images = torch.rand(2, 3, 227, 227)
    caffe = 255 * images.flip(1) - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    with torch.no_grad():
        expected = model.features(caffe).mean(dim=(2, 3))
        torch.testing.assert_close(network(images), expected, rtol=1e-4, atol=1e-4)


# ---- Where weights come from ----


@pytest.mark.parametrize("place", ["folder, torchvision's name", "folder, own name", "file"])
def test_weights_are_found_without_a_network(weights, tmp_path, monkeypatch, place):
    where = weights
    if place == "folder, own name":
        where = weights.rename(tmp_path / "resnet18.pth").parent
    elif place == "folder, torchvision's name":
        published = models.get_model_weights("resnet18").DEFAULT.url.rpartition("/")[2]
        monkeypatch.setattr("sklearn_cae.backbones._check_digits", lambda path: None)
        where = weights.rename(tmp_path / published).parent
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(where))
    network = Backbone("resnet18")((1, 28, 28))
    state = torch.load(next(tmp_path.glob("*.pth")), weights_only=True)
    assert torch.equal(network.model.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize("form", ["checkpoint of several GPUs", "safetensors", "other classes"])
def test_forms_of_files(resnet, tmp_path, form):
    path, state = tmp_path / "some.pth", dict(resnet.state_dict())
    if form == "safetensors":
        path = tmp_path / "some.safetensors"
        save_file(state, path)
    elif form == "other classes":
        state["fc.weight"], state["fc.bias"] = torch.zeros(7, 512), torch.zeros(7)
        torch.save(state, path)
    else:
        state = {f"module.{name}": value for name, value in state.items()}
        torch.save({"epoch": 3, "state_dict": state}, path)
    network = Backbone("resnet18", weights=path)((1, 28, 28))
    assert torch.equal(network.model.conv1.weight, resnet.conv1.weight)


def test_densenets_old_names(tmp_path):
    torch.manual_seed(0)
    model = models.densenet121()
    pattern = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))([12]\.)")
    old = {pattern.sub(r"\1.\2", name): value for name, value in model.state_dict().items()}
    assert old.keys() != model.state_dict().keys()
    torch.save(old, tmp_path / "densenet.pth")
    network = Backbone("densenet121", weights=tmp_path / "densenet.pth")((1, 28, 28))
    for name, value in network.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_no_network_is_told_with_the_way_out():
    with pytest.raises(ValueError, match="could not be downloaded") as caught:
        Backbone("resnet18")((1, 28, 28))
    for way_out in ("https://download.pytorch.org", WEIGHTS_VARIABLE, "weights=path"):
        assert way_out in str(caught.value)


def test_a_wrong_checksum_is_told(weights):
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"the SHA-256 of resnet18-.*\.pth begins with"):
        Backbone("resnet18", weights=weights)((1, 28, 28))


def test_weights_of_another_model_are_told(weights):
    with pytest.raises(ValueError, match="weights must be those of resnet34, but they do not"):
        Backbone("resnet34", weights=weights)((1, 28, 28))
    with pytest.raises(ValueError, match=r"those of squeezenet1_1, .* and more. Pass the"):
        Backbone("squeezenet1_1", weights=weights)((1, 28, 28))


def test_files_that_are_not_weights(tmp_path):
    for name, content in (("a.pth", b"nonsense"), ("b.safetensors", b"nonsense")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name} could not be read"):
            Backbone("resnet18", weights=tmp_path / name)((1, 28, 28))
    torch.save([torch.zeros(3)], tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"c\.pth could not be read"):
        Backbone("resnet18", weights=tmp_path / "c.pth")((1, 28, 28))


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (sys.exit, ())

    torch.save({"conv1.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth could not be read"):
        Backbone("resnet18", weights=tmp_path / "evil.pth")((1, 28, 28))


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        ({"name": "resnet81"}, (1, 28, 28), "'resnet81'. The closest names are 'resnet18'"),
        ({"name": "dinov2_vits41"}, (1, 28, 28), "'dinov2_vits14'"),
        ({"name": "resnet18"}, (30,), "1 or 3 channels, got samples of shape"),
        ({"name": "resnet18"}, (2, 28, 28), "1 or 3 channels"),
        ({"name": "resnet18"}, (1, 28, 28, 28), "1 or 3 channels"),
        ({"name": "resnet18", "size": 0}, (1, 28, 28), "size must be a positive int"),
        ({"name": "resnet18", "channels": "gray"}, (1, 28, 28), "channels must be"),
        ({"name": "resnet18", "mean": (0.5,)}, (1, 28, 28), "mean must be 3 numbers"),
        ({"name": "resnet18", "weights": "missing.pth"}, (1, 28, 28), "which does not exist"),
    ],
)
def test_what_is_refused(params, shape, message):
    with pytest.raises(ValueError, match=message):
        Backbone(**params)(shape)


def test_a_place_that_does_not_exist(monkeypatch):
    monkeypatch.setenv(WEIGHTS_VARIABLE, "no/such/folder")
    with pytest.raises(ValueError, match=f"{WEIGHTS_VARIABLE} must be a folder or a file"):
        Backbone("resnet18")((1, 28, 28))


@pytest.mark.parametrize(
    ("package", "name"), [("torchvision.models", "resnet18"), ("timm", "timm:resnet18")]
)
def test_a_missing_package_names_the_extra(monkeypatch, package, name):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"sklearn_cae\[backbones\]"):
        Backbone(name)((1, 28, 28))


# ---- Models of timm ----


@pytest.fixture
def timm():
    return pytest.importorskip("timm", reason="its models are built with timm")


@pytest.fixture
def timm_weights(timm, tmp_path):
    """Random weights of timm's smallest ResNet, as a file that has its name."""
    torch.manual_seed(0)
    state = timm.create_model("test_resnet", pretrained=False).state_dict()
    save_file(state, tmp_path / "test_resnet.safetensors")
    return tmp_path / "test_resnet.safetensors"


@pytest.mark.parametrize("name", ["timm:test_resnet", "timm:test_resnet.r160_in1k"])
def test_weights_for_timm_are_found_in_the_folder(timm_weights, monkeypatch, name):
    stem = name.removeprefix("timm:")
    timm_weights.rename(timm_weights.with_name(f"{stem}.safetensors"))
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(timm_weights.parent))
    network = Backbone(name)((1, 28, 28)).eval()
    state = load_file(timm_weights.with_name(f"{stem}.safetensors"))
    for key, value in network.model.state_dict().items():
        assert torch.equal(value, state[key])
    assert network.size == 160
    assert network(torch.rand(2, 1, 28, 28)).shape[0] == 2


def test_a_model_of_a_fixed_size_takes_another(timm):
    network = Backbone("dinov2_vits14", weights=False, size=28)((3, 30, 20)).eval()
    assert network(torch.rand(2, 3, 30, 20)).shape == (2, 384)


def test_what_timm_cannot_load(timm, timm_weights, monkeypatch):
    with pytest.raises(ValueError, match="weights must be those of timm:test_vit, but they do not"):
        Backbone("timm:test_vit", weights=timm_weights)((1, 28, 28))

    def refuse(*args, **kwargs):
        raise OSError("no network in tests")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    with pytest.raises(ValueError, match=r"could not be downloaded.*as test_resnet\.safetensors"):
        Backbone("timm:test_resnet")((1, 28, 28))


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18", "timm:hf-hub:timm/resnet18", ""])
def test_only_listed_names_are_built(timm, name):
    with pytest.raises(ValueError, match="encoder must be the name of a model"):
        Backbone(name)((1, 28, 28))


def test_buffers_that_are_not_saved_are_built_again(timm, make_quick, toy_images, tmp_path):
    X, _ = toy_images
    encoder = Backbone("timm:test_vit_relpos", weights=False, size=32)
    estimator = make_quick(encoder=encoder).fit(X)
    save(estimator, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.embed(X), estimator.embed(X))


# ---- In an estimator ----


@pytest.fixture
def named(make_quick, weights):
    """Factory of quick clusterers with a ResNet-18 at 32 pixels."""
    encoder = Backbone("resnet18", weights=weights, size=32)
    return lambda **params: make_quick(**{"encoder": encoder, **params})


def test_it_is_a_parameter_like_others(weights):
    one = Backbone("resnet18", weights=str(weights))
    estimator = ContrastiveAutoencoderClusterer(encoder=one)
    assert clone(estimator).encoder == one
    assert clone(estimator).encoder != Backbone("resnet18")
    assert eval(repr(one)) == one
    assert describe(one) == describe(Backbone("resnet18", weights=str(weights)))
    assert describe(one) != describe(Backbone("resnet18"))


def test_a_fixed_one(named, toy_images, resnet, tmp_path):
    X, _ = toy_images
    estimator = named(train_encoder=False, whiten=True).fit(X)
    np.testing.assert_array_equal(estimator.predict(X), estimator.labels_)
    inner = estimator.encoder_[0].features[0].model
    for name, value in inner.state_dict().items():
        assert torch.equal(value, resnet.state_dict()[name])
    assert estimator.saliency(X[:2]).max() == 1


@pytest.mark.parametrize("train_encoder", [False, 0.1])
def test_it_is_saved_and_loaded_without_weights(
    named, toy_images, weights, tmp_path, train_encoder
):
    X, _ = toy_images
    estimator = named(train_encoder=train_encoder, whiten=True).fit(X)
    save(estimator, tmp_path / "model.safetensors")
    weights.unlink()
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.embed(X), estimator.embed(X))
    assert again.encoder == Backbone("resnet18", weights=weights.name, size=32)
    assert str(tmp_path).encode() not in (tmp_path / "model.safetensors").read_bytes()


def test_it_is_loaded_by_name_from_the_environment(
    make_quick, toy_images, weights, tmp_path, monkeypatch
):
    X = toy_images[0][:12]
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(weights))
    params = {"train_encoder": False, "warm_up_epochs": 1, "conditioning_epochs": 0}
    with pytest.warns(UserWarning, match="A batch of 12 samples"):
        estimator = make_quick(encoder="resnet18", **params).fit(X)
    save(estimator, tmp_path / "model.safetensors")
    monkeypatch.delenv(WEIGHTS_VARIABLE)
    again = load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(again.predict(X), estimator.labels_)


@pytest.mark.parametrize("optimizer", ["adamw", "lars"])
def test_a_rate_of_its_own(named, toy_images, resnet, optimizer):
    """The weights move, but far less than with the rate of the other networks."""
    X, _ = toy_images
    moved, rates = {}, {}
    for share in (0.01, 1.0, True):
        params = {"warm_up_epochs": 1, "conditioning_epochs": 0, "optimizer": optimizer}
        estimator = named(train_encoder=share, **params).fit(X)
        weight = estimator.encoder_[0].model.conv1.weight.detach()
        moved[share] = float((weight - resnet.conv1.weight.detach()).norm())
        rates[share] = estimator.history_[0]["learning_rate"]
    assert 0 < moved[0.01] < 0.05 * moved[1.0]
    assert moved[1.0] == moved[True]
    assert rates[0.01] == rates[True]  # that of the other networks


def test_its_new_layer_learns_like_the_other_networks(named, toy_images):
    params = {"train_encoder": 1e-12, "conditioning_epochs": 0}
    one, two = (named(warm_up_epochs=n, **params).fit(toy_images[0]).encoder_ for n in (1, 2))
    assert float((one[0].model.conv1.weight - two[0].model.conv1.weight).detach().norm()) < 1e-6
    assert float((one[1].weight - two[1].weight).detach().norm()) > 0.01


def test_a_size_that_is_too_small(named, toy_images):
    with pytest.raises(ValueError, match=r"failed on two of them.*Backbone of another size"):
        named(encoder=Backbone("alexnet", weights=False, size=20)).fit(toy_images[0])


def test_names_are_checked_before_training(make_quick, toy_images):
    with pytest.raises(ValueError, match="The closest names are 'resnet18'"):
        make_quick(encoder="resnet81").fit(toy_images[0])
    with pytest.raises(ValueError, match="got samples of shape"):
        make_quick(encoder="resnet18").fit(np.random.RandomState(0).normal(size=(40, 5)))
