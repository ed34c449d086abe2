"""The reading that a file of a model holds."""

from ._read import Reading


def load_reading(path) -> Reading:
    """Load the options with which the images of a saved model were read.

    Parameters
    ----------
    path : path-like
        File that ``sklearn_cae.save(model, path, reading=...)`` wrote.

    Returns
    -------
    reading : Reading
        Options. ``reading.read(paths)`` reads later files as the images of the model were read.

    Raises
    ------
    LoadError
        If the file is damaged, cut off, or of another kind. It is a ValueError.
    ValueError
        If the file holds no reading.

    See Also
    --------
    sklearn_cae.load : Load the model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_cae import ContrastiveAutoencoderClusterer, save
    >>> from sklearn_cae.datasets import make_toy_images
    >>> from sklearn_cae.images import Reading, load_reading
    >>> X, _ = make_toy_images(60, random_state=0, return_X_y=True)
    >>> clusterer = ContrastiveAutoencoderClusterer(
    ...     n_clusters=3, warm_up_epochs=2, conditioning_epochs=1, random_state=0
    ... ).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     save(clusterer, path, reading=Reading(size=(32, 32)))
    ...     load_reading(path).size
    (32, 32)
    """
    from .._storage import container  # which imports torch

    with container.reading(path) as (header, _):
        text = header.get("reading")
        reading = None if text is None else Reading.from_json(text)
    if reading is None:
        raise ValueError(
            f"{path} must hold the reading of its images, and holds none. Save the model with "
            "save(model, path, reading=...)."
        )
    return reading
