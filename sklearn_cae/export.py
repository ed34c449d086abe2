"""Export of a fitted clusterer as an ONNX graph, for use without scikit-learn."""

import copy

import torch
from torch import nn

from ._fitted import fitted_state
from ._grouping.assignment import cosine_similarity, soft_assignment
from ._storage.files import write_whole
from ._utils.estimators import check_fitted
from ._utils.extras import import_extra
from ._utils.random import plain_torch

__all__ = ["export_onnx"]


@plain_torch()
def export_onnx(estimator, path) -> None:
    """Write a fitted clusterer as an ONNX graph, which assigns samples to clusters.

    The graph contains the scaling of intensities (for vectors, the standardisation), the encoder
    and the prototypes. Any program that runs ONNX can then assign new samples as `estimator` does.
    The packages of ``pip install 'sklearn_cae[onnx]'`` are required.

    Parameters
    ----------
    estimator : ContrastiveAutoencoderClusterer
        Clusterer fitted with ``assignment="cosine"``.
    path : str or path-like
        File to write, usually ``.onnx``. An existing file is replaced.

    Raises
    ------
    ImportError
        If a package is not installed.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator assigns by its clusterer, which is not a network.
    OSError
        If the file cannot be written. An existing file is unchanged.

    See Also
    --------
    sklearn_cae.save : Save the whole estimator, with its decoder.

    Notes
    -----
    The input ``X`` is float32 of shape (n_samples, ...), with samples in the form and on the scale
    of `fit`; cast integers. Float32 has fewer digits than float64: if vectors are far from 0,
    subtract an offset before `fit`. The outputs are ``soft_assignment``, float32 of shape
    (n_samples, `n_clusters_`), ``cluster``, int64 of shape (n_samples,), and ``embedding``, float32
    of shape (n_samples, embedding_dim). Unlike the estimator, the graph does not check samples.

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

    In onnxruntime, ``session.run(["cluster"], {"X": X.astype("float32")})`` then returns the
    clusters of images X.
    """
    check_fitted(estimator, "cluster_centers_", "encoder_")
    state = fitted_state(estimator)
    if state.posterior is not None:
        raise ValueError(
            "export_onnx needs assignment='cosine', but the estimator was fitted with "
            "assignment='clusterer', which is not a network. Fit with assignment='cosine', and "
            "use refinement_epochs if groups are not compact."
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
    assert program is not None  # dynamo=True always returns one
    write_whole(path, program.model_proto.SerializeToString())


def _sample_shape(format):
    return format.image_shape if format.kind == "vectors" else format.sample_shape


def _check_onnx():
    for name in ("onnx", "onnxscript"):
        import_extra(name, "ONNX graphs are written with", "onnx")


class _Assigning(nn.Module):
    """Network from samples to soft assignment, cluster and embedding."""

    def __init__(self, estimator, format):
        super().__init__()
        self.scale = (_ScaleVectors if format.kind == "vectors" else _ScaleImages)(format)
        self.encoder = copy.deepcopy(estimator.encoder_).cpu().eval()
        self.register_buffer("cluster_centers", torch.tensor(estimator.cluster_centers_))
        self.assignment_temperature = float(estimator.assignment_temperature)

    def forward(self, samples):
        embedding = self.encoder(self.scale(samples))
        similarity = cosine_similarity(embedding, self.cluster_centers)
        assignment = soft_assignment(similarity, self.assignment_temperature)
        return assignment, similarity.argmax(dim=1), embedding


class _ScaleImages(nn.Module):
    """Network that computes `ImageFormat.to_tensor`."""

    def __init__(self, format):
        super().__init__()
        self.format = format

    def forward(self, samples):
        low, high = self.format.intensity_range
        images = ((samples - low) / (high - low)).clamp(0, 1)
        if self.format.channels_last:
            channels, *sides = self.format.image_shape
            return images.reshape(-1, *sides, channels).movedim(-1, 1)
        return images.reshape(-1, *self.format.image_shape)


class _ScaleVectors(nn.Module):
    """Network that computes `VectorFormat.to_tensor`."""

    def __init__(self, format):
        super().__init__()
        self.register_buffer("mean", torch.tensor(format.mean))
        self.register_buffer("std", torch.tensor(format.scale))

    def forward(self, samples):
        return ((samples.double() - self.mean) / self.std).float()
