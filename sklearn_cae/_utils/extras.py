"""Import of optional packages."""

from importlib import import_module


def import_extra(module, purpose, extra):
    """Import a module, or raise an error that names the extra to install.

    Parameters
    ----------
    module : str
        Name of the module.
    purpose : str
        First words of the error, before the name of the package: "Pictures are drawn with".
    extra : str
        Name of the extra that installs the package.

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
        If the package is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} {module.partition('.')[0]}, which is not installed. "
            f"Install it with: pip install 'sklearn_cae[{extra}]'"
        ) from error
