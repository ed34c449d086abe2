"""Packages that are not always there, and the extras that bring them."""

from importlib import import_module


def import_extra(module, purpose, extra):
    """Import a module; where its package is not installed, name the extra that brings it.

    Parameters
    ----------
    module : str
    purpose : str
        Beginning of the sentence that ends with the package: "Pictures are drawn with".
    extra : str

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} {module.partition('.')[0]}, which is not installed. "
            f"Install it with: pip install 'sklearn_cae[{extra}]'"
        ) from error
