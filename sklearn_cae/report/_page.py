"""HTML page of a report, from its template, style and script."""

from importlib.resources import files

from .._utils.wording import to_number, to_percent

_FOLDER = files(__package__) / "page"
_SCRIPTS = ("report.js", "colours.js", "enlarge.js", "answers.js")


def render(**parts):
    """Render the template of the page.

    Parameters
    ----------
    **parts : object
        Variables of the template.

    Returns
    -------
    page : str
        HTML page, in which all variables are escaped.
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
        script=Markup("\n".join(map(_read, _SCRIPTS))),
        **parts,
    )


def _read(name):
    return (_FOLDER / name).read_text(encoding="utf-8")


def to_decimals(value):
    """Format a number with three decimals; smaller ones are "< 0.001"."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
