"""Reading of reports, for tests that look at their data."""

import html
import json
import re


def read_points(path):
    """The data of the map."""
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="points">(.*?)</script>', text, re.DOTALL).group(1))


def read_about(path):
    """What the page writes into answers about its clusters."""
    text = path.read_text(encoding="utf-8")
    return json.loads(html.unescape(re.search(r'data-about="(.*?)"', text).group(1)))
