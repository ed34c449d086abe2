"""Encoders of others: models of torchvision and timm by name, without their classifiers."""

import difflib
import hashlib
import os
import re
import textwrap
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._utils.extras import import_extra

__all__ = ["Backbone", "list_backbones"]

#: Environment variable with a file of weights, or a folder in which they are searched.
WEIGHTS_VARIABLE = "SKLEARN_CAE_WEIGHTS"
_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
_TIMM = "timm:"
_SEED = 749_203_118  # of weights that are replaced
#: Names of these models in their own repository.
_DINOV2 = {
    f"dinov2_vit{letter}14{registers}": f"timm:vit_{size}_patch14{timm_registers}_dinov2"
    for letter, size in (("s", "small"), ("b", "base"), ("l", "large"), ("g", "giant"))
    for registers, timm_registers in (("", ""), ("_reg", "_reg4"))
}
#: Options of torchvision's models that have classifiers in the middle, too.
_WITHOUT_MIDDLE = {"aux_logits": False, "init_weights": False, "transform_input": True}
_OPTIONS = {"googlenet": _WITHOUT_MIDDLE, "inception_v3": _WITHOUT_MIDDLE}
#: Names in torchvision's files of DenseNet, which are older than its module.
_OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.\w+)")


@dataclass(frozen=True)
class Backbone:
    """A model of torchvision or timm, without its classifier, as an encoder.

    Pass it as `encoder`. ``encoder="resnet18"`` is short for ``encoder=Backbone("resnet18")``. The
    packages of ``pip install 'sklearn_cae[backbones]'`` are required.

    Images are resized to the size for which the model was trained, and their intensities, which
    the estimator scales to [0, 1], are normalised as the model expects. Gray images get three equal
    channels: to the model, they look like gray photographs.

    Parameters
    ----------
    name : str
        Name of a classification model of torchvision, such as "resnet18", or of a model of timm
        after "timm:", such as "timm:resnet18.a1_in1k". Models of DINOv2 also have their own names,
        such as "dinov2_vits14".
    weights : bool, str or path-like, default=True
        Where the weights come from:

        - True: the weights that the package recommends. They are read from the environment variable
          ``SKLEARN_CAE_WEIGHTS``, a file, or a folder that contains a file with the name of the
          model, such as ``resnet18.pth``, or with the name that torchvision gives it. Otherwise the
          package downloads them, or finds them in its own cache.
        - path: a file of weights of this model, ``.safetensors``, or written by ``torch.save``.
          The classifier may have any number of classes, or be missing. If the name of the file ends
          with eight or more digits of its SHA-256, as torchvision's do, these are compared.
        - False: random weights, to train the model from scratch. `train_encoder` must not be False.
    size : int, default=None
        Side of the square to which images are resized. None is the size of the model.
    mean, std : tuple of 3 float, default=None
        Mean and standard deviation of red, green and blue in [0, 1], with which intensities are
        normalised. None are those of the model.
    channels : {"rgb", "bgr"}, default="rgb"
        Order of the channels that the model expects.

    See Also
    --------
    sklearn_cae.ContrastiveAutoencoderClusterer : Its parameter `train_encoder` keeps the weights
        fixed, or trains them with a rate of their own.

    Notes
    -----
    It is a class and not only a name, because weights in a file need to be told together with their
    name and their normalisation. Two are equal if all their parameters are. `save` keeps them, but
    of a path only the name of the file, because the path is one of this machine. A saved model
    contains the trained weights, and is loaded without another file.

    Weights have licences of their own, which may forbid some uses.

    Examples
    --------
    >>> import torch
    >>> from sklearn_cae.backbones import Backbone
    >>> squeezenet = Backbone("squeezenet1_1", weights=False, size=64)
    >>> squeezenet(image_shape=(1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 512])

    Weights of Caffe, which expects blue first, and intensities from 0 to 255:

    >>> Backbone(
    ...     "squeezenet1_1",
    ...     weights="squeezenet.pth",
    ...     mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
    ...     std=(1 / 255, 1 / 255, 1 / 255),
    ...     channels="bgr",
    ... ).name
    'squeezenet1_1'
    """

    name: str
    weights: bool | str | os.PathLike = True
    size: int | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    channels: str = "rgb"

    def __call__(self, image_shape: tuple[int, ...]) -> nn.Module:
        """Build the network from images to features.

        Parameters
        ----------
        image_shape : tuple of int
            Shape of an image, (C, H, W), with 1 or 3 channels.

        Returns
        -------
        network : nn.Module
            Network from images (n, C, H, W) in [0, 1] to features (n, n_features).

        Raises
        ------
        ImportError
            If the package is not installed.
        ValueError
            If a parameter breaks a rule, or the weights are not found, damaged or of another model.
        """
        self._check(image_shape)
        name = _DINOV2.get(self.name, self.name)
        if name.startswith(_TIMM):
            model, size, mean, std = self._build_timm(name.removeprefix(_TIMM))
        else:
            model, size, mean, std = self._build_torchvision()
        return _Prepared(
            model, size, self.mean or mean, self.std or std, reverse=self.channels == "bgr"
        )

    def _check(self, image_shape: tuple[int, ...]) -> None:
        if len(image_shape) != 3 or image_shape[0] not in (1, 3):
            raise ValueError(
                f"encoder={self.name!r} is a model of images with 1 or 3 channels, got samples of "
                f"shape {tuple(image_shape)}. If rows are images, pass image_shape; otherwise pass "
                "an encoder of your own."
            )
        if self.channels not in ("rgb", "bgr"):
            raise ValueError(f"channels must be 'rgb' or 'bgr', got {self.channels!r}. Pass one.")
        if self.size is not None and not (isinstance(self.size, int) and self.size > 0):
            raise ValueError(f"size must be a positive int or None, got {self.size!r}. Pass one.")
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None and len(value) != 3:
                raise ValueError(f"{name} must be 3 numbers or None, got {value!r}. Pass 3.")
        if not isinstance(self.weights, bool) and not Path(self.weights).is_file():
            raise ValueError(
                f"weights must be True, False or a file, got {str(self.weights)!r}, which does not "
                "exist. Pass the path of the file."
            )

    def _build_torchvision(self) -> tuple[nn.Module, int, Any, Any]:
        models = import_extra("torchvision.models", "Models are built with", "backbones")
        if self.name not in models.list_models(module=models):
            raise ValueError(_unknown(self.name))
        published = models.get_model_weights(self.name).DEFAULT
        expected = published.transforms()
        size = self.size or expected.crop_size[0]
        options: dict[str, Any] = _OPTIONS.get(self.name, {})
        if self.name.startswith("vit_"):
            options = {"image_size": size}
        model = models.get_model(self.name, weights=None, **options)
        classifier = _drop_classifier(model)
        if self.weights is not False:
            state = self._read_local(Path(published.url).name)
            if state is None:
                state = self._download(
                    lambda: published.get_state_dict(
                        progress=True, check_hash=True, weights_only=True
                    ),
                    published.url,
                )
            self._load(model, state, classifier)
        return model, size, expected.mean, expected.std

    def _build_timm(self, name: str) -> tuple[nn.Module, int, Any, Any]:
        timm = import_extra("timm", "Models are built with", "backbones")
        if not timm.is_model(name):
            raise ValueError(_unknown(self.name))
        published = timm.models.get_pretrained_cfg(name)
        size = self.size or published.input_size[-1]
        options: dict[str, Any] = {"num_classes": 0}
        if published.fixed_input_size and size != published.input_size[-1]:
            options["img_size"] = size
        if self.weights is False:
            model = timm.create_model(name, pretrained=False, **options)
        elif (state := self._read_local(name)) is not None:
            model = self._load_timm(timm, name, state, options)
        else:
            model = self._download(
                lambda: timm.create_model(name, pretrained=True, **options),
                f"https://huggingface.co/{published.hf_hub_id}, as {name}.safetensors,",
            )
        return model, size, published.mean, published.std

    def _load_timm(self, timm, name, state, options):
        """Build a model with weights; timm also knows how to rename those of other packages."""
        overlay = {"pretrained_cfg_overlay": {"state_dict": state}}
        models = []
        for params in ({"pretrained": False}, {"pretrained": True, **overlay}):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_SEED)
                try:
                    models.append(timm.create_model(name, **params, **options))
                except RuntimeError as error:
                    raise self._of_another_model(str(error)) from error
        # timm only logs that weights are missing. Those that are still random were not in the file.
        start = dict(models[0].named_parameters())
        missing = [
            each
            for each, weight in models[1].named_parameters()
            if weight.ndim > 1 and weight.detach().std() > 0 and torch.equal(weight, start[each])
        ]
        if missing:
            raise self._of_another_model(f"the file has no {', '.join(missing)}")
        return models[1]

    def _read_local(self, *names: str) -> dict[str, Tensor] | None:
        """Read the weights from a file, or return None if there is none on this machine."""
        if not isinstance(self.weights, bool):
            return _read(Path(self.weights))
        where = os.environ.get(WEIGHTS_VARIABLE)
        if not where:
            return None
        place = Path(where)
        if place.is_file():
            return _read(place)
        if not place.is_dir():
            raise ValueError(
                f"{WEIGHTS_VARIABLE} must be a folder or a file, got {where!r}, which does not "
                "exist. Set it to the place of the weights, or unset it."
            )
        stems = {self.name.removeprefix(_TIMM), *names}
        possible = [place / f"{stem}{suffix}" for stem in stems for suffix in ("", *_SUFFIXES)]
        return next((_read(path) for path in possible if path.is_file()), None)

    def _download(self, download, url: str) -> Any:
        try:
            return download()
        except Exception as error:  # packages raise errors of their own if there is no network
            raise ValueError(
                f"encoder={self.name!r} needs weights that could not be downloaded: {error}. "
                f"Download them from {url} on another machine. Then set {WEIGHTS_VARIABLE} to "
                f"their folder, or pass encoder=Backbone({self.name!r}, weights=path)."
            ) from error

    def _load(self, model: nn.Module, state: dict[str, Tensor], classifier: str) -> None:
        for name in list(state):
            if name.startswith((f"{classifier}.", "aux", "AuxLogits")):
                del state[name]  # in place, because torchvision's versions are attributes of state
            elif (old := _OLD_NAME.fullmatch(name)) and name not in model.state_dict():
                state[old[1] + old[2]] = state.pop(name)
        try:
            model.load_state_dict(state)
        except (RuntimeError, ValueError) as error:
            raise self._of_another_model(str(error)) from error

    def _of_another_model(self, problem: str) -> ValueError:
        problem = textwrap.shorten(problem, 300, placeholder=" and more")
        return ValueError(
            f"weights must be those of {self.name}, but they do not match it: {problem}. Pass the "
            "weights of this model, or the name of theirs."
        )


def as_factory(encoder):
    """Return the `Backbone` of a name; return other encoders unchanged."""
    return Backbone(encoder) if isinstance(encoder, str) else encoder


def is_named(encoder):
    """Return whether an encoder is a model of others, by name."""
    return isinstance(encoder, str | Backbone)


def without_weights(encoder):
    """Return an encoder that is built without reading weights, because others are loaded."""
    return replace(as_factory(encoder), weights=False) if is_named(encoder) else encoder


class _Prepared(nn.Module):
    """A model, and what its images must look like."""

    def __init__(self, model: nn.Module, size: int, mean: Any, std: Any, *, reverse: bool) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.reverse = reverse
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Compute features (n_samples, n_features) of images (n_samples, 1 or 3, H, W)."""
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        sides = images.shape[-2:]
        if sides != (self.size, self.size):
            images = F.interpolate(
                images,
                (self.size, self.size),
                mode="bilinear",
                antialias=max(sides) > self.size,  # it changes nothing in larger images
            )
        images = (images - self.mean) / self.std
        return self.model(images.flip(1) if self.reverse else images).flatten(1)


def _drop_classifier(model: nn.Module) -> str:
    """Replace the last layer with weights by the identity, and return its name."""
    layers = [
        name for name, each in model.named_modules() if isinstance(each, nn.Linear | nn.Conv2d)
    ]
    parent, _, own = layers[-1].rpartition(".")
    setattr(model.get_submodule(parent), own, nn.Identity())
    return layers[-1]


def _check_digits(path: Path) -> None:
    """Raise if the name of a file ends with digits of another SHA-256 than its own."""
    digits = re.fullmatch(r".*-([0-9a-f]{8,64})", path.stem)
    if digits:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(digits[1]):
            raise ValueError(
                f"weights must be a whole file, but the SHA-256 of {path.name} begins with "
                f"{found[: len(digits[1])]}, not with the {digits[1]} of its name. Download it "
                "again."
            )


def _read(path: Path) -> dict[str, Tensor]:
    """Read a file of weights, which may be in an item of a checkpoint, without running code."""
    _check_digits(path)
    try:
        if path.suffix == ".safetensors":
            state: Any = safetensors.torch.load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        for item in ("state_dict", "model"):
            state = state.get(item, state)
        if not all(isinstance(each, Tensor) for each in state.values()):
            raise TypeError("it contains more than tensors")
    except Exception as error:
        raise ValueError(
            f"weights must be a file of tensors by name, but {path.name} could not be read: "
            f"{error}. Pass a .safetensors file, or one of torch.save(model.state_dict(), path)."
        ) from error
    for name in [name for name in state if name.startswith("module.")]:  # of several GPUs
        state[name.removeprefix("module.")] = state.pop(name)
    return state


def list_backbones() -> list[str]:
    """List the names that `Backbone` takes, of the packages that are installed.

    Returns
    -------
    names : list of str
        Names of DINOv2, of torchvision, and of timm after "timm:".

    Examples
    --------
    >>> from sklearn_cae.backbones import list_backbones
    >>> "resnet18" in list_backbones()
    True
    """
    names = [*_DINOV2]
    for package, prefix in (("torchvision.models", ""), ("timm", _TIMM)):
        try:
            found = import_module(package)
        except ImportError:
            continue
        listed = found.list_models() if prefix else found.list_models(module=found)
        names += [prefix + each for each in listed]
    return names


def _unknown(name: str) -> str:
    """Return a message with the names that are closest to an unknown one."""
    names = list_backbones()
    close = [
        *difflib.get_close_matches(name, names, 3, 0.4),
        *difflib.get_close_matches(_TIMM + name, names, 2, 0.7),
    ]
    named = ", ".join(map(repr, dict.fromkeys(close))) or "not close to it"
    return (
        "encoder must be the name of a model of torchvision, or of timm after 'timm:', got "
        f"{name!r}. The closest names are {named}. "
        "sklearn_cae.backbones.list_backbones() returns all."
    )
