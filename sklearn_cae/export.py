"""A fitted clusterer where there is no scikit-learn: as a graph in ONNX."""

import copy

import torch
from torch import nn

from ._fitted import fitted_state
from ._grouping.assignment import cosine_similarity, soft_assignment
from ._storage.files import write_whole
from ._utils.extras import import_extra
from ._utils.random import plain_torch

__all__ = ["export_onnx"]


@plain_torch()
def export_onnx(estimator, path) -> None:
    """Write a fitted clusterer as an ONNX graph: samples in, their clusters out.

    The graph holds the scale of the intensities (of vectors: the standardisation), the encoder and
    the prototypes: a program in any language that runs ONNX assigns new samples as `estimator`
    does. Needs the packages of ``pip install 'sklearn_cae[onnx]'``.

    Parameters
    ----------
    estimator : ContrastiveAutoencoderClusterer
        Fitted, with ``assignment="cosine"``.
    path : str or path-like
        The file to write; one that is there is replaced. ``.onnx`` is its usual ending.

    Raises
    ------
    ImportError
        If a package is not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator assigns by its clusterer, which is no network.
    OSError
        If the file cannot be written; one that was there is left as it was.

    See Also
    --------
    sklearn_cae.save : Keep the estimator itself, decoder and all.

    Notes
    -----
    The input is called ``X``: float32 of shape (n_samples, ...), samples in the form that was
    fitted, on the same scale; integers are cast. What float32 cannot hold of float64 is lost: of
    vectors far from 0, subtract an offset before the fit. The outputs are ``soft_assignment``,
    float32 of shape (n_samples, `n_clusters_`), ``cluster``, int64 of shape (n_samples,), and
    ``embedding``, float32 of shape (n_samples, embedding_dim). Nothing in the graph checks the
    samples, as the estimator does.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.export import export_onnx
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
    ... ).fit(make_toy_images(60, random_state=0).data)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(clusterer, Path(folder) / "clusterer.onnx")
    ...     print([path.name for path in Path(folder).iterdir()])
    ['clusterer.onnx']

    In a session of onnxruntime, ``session.run(["cluster"], {"X": X.astype("float32")})`` then gives
    the clusters of images X.
    """
    state = fitted_state(estimator)
    if state.posterior is not None:
        raise ValueError(
            "export_onnx writes assignment='cosine', but the estimator was fitted with "
            "assignment='clusterer': that is no network. Fit with assignment='cosine', and "
            "refinement_epochs where groups are no cones."
        )
    _check_onnx()
    network = _Assigning(estimator, state.format).eval()
    samples = torch.zeros(2, *_sample_shape(state.format))
    with torch.no_grad():
        program = torch.onnx.export(
            network,
            (samples,),
            input_names=["X"],
            output_names=["soft_assignment", "cluster", "embedding"],
            dynamic_shapes=({0: torch.export.Dim("n_samples")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # as it is with dynamo
    write_whole(path, program.model_proto.SerializeToString())


def _sample_shape(format):
    return format.sample_shape if _is_of_images(format) else format.image_shape


def _is_of_images(format):
    return len(format.image_shape) == 3


def _check_onnx():
    for name in ("onnx", "onnxscript"):
        import_extra(name, "ONNX graphs are written with", "onnx")


class _Assigning(nn.Module):
    """Samples to soft assignment, cluster and embedding."""

    def __init__(self, estimator, format):
        super().__init__()
        self.scale = (_ScaleImages if _is_of_images(format) else _ScaleVectors)(format)
        self.encoder = copy.deepcopy(estimator.encoder_).cpu().eval()
        self.register_buffer("cluster_centers", torch.tensor(estimator.cluster_centers_))
        self.assignment_temperature = float(estimator.assignment_temperature)

    def forward(self, samples):
        embedding = self.encoder(self.scale(samples))
        similarity = cosine_similarity(embedding, self.cluster_centers)
        assignment = soft_assignment(similarity, self.assignment_temperature)
        return assignment, similarity.argmax(dim=1), embedding


class _ScaleImages(nn.Module):
    """What `ImageFormat.to_tensor` does, in a graph."""

    def __init__(self, format):
        super().__init__()
        self.format = format

    def forward(self, samples):
        low, high = self.format.intensity_range
        images = ((samples - low) / (high - low)).clamp(0, 1)
        channels, height, width = self.format.image_shape
        if self.format.channels_last:
            return images.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return images.reshape(-1, channels, height, width)


class _ScaleVectors(nn.Module):
    """What `VectorFormat.to_tensor` does, in a graph."""

    def __init__(self, format):
        super().__init__()
        self.register_buffer("mean", torch.tensor(format.mean))
        self.register_buffer("std", torch.tensor(format.scale))

    def forward(self, samples):
        return ((samples.double() - self.mean) / self.std).float()
