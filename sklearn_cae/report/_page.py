"""From what a report knows to its page: template, style and script."""

from importlib.resources import files

import numpy as np

_FOLDER = files(__package__)


def render(**parts):
    """Fill the page's template.

    Parameters
    ----------
    **parts : object
        What the template names.

    Returns
    -------
    page : str
        HTML, in which all text from outside is escaped.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": to_percent, "number": to_number, "small": to_decimals}
    return environment.get_template("report.html.jinja").render(
        style=Markup(_read("report.css")),
        script=Markup(_read("report.js")),
        **parts,
    )


def _read(name):
    return (_FOLDER / name).read_text(encoding="utf-8")


def to_percent(share):
    """Write a share, a small one with a decimal."""
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"


def to_number(value):
    """Write a number with four digits; a dash where it is missing."""
    if np.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"


def to_decimals(value):
    """Write a small number with three decimals, and one that has none of them as below."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
