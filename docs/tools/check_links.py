"""Fail where a link inside the built site leads nowhere, to a page, a file or a place on a page.

python docs/tools/check_links.py docs/_build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SKIPPED = {"http", "https", "mailto", "data", "javascript"}


class Page(HTMLParser):
    """What a page links to, and the places on it that can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = set(), {""}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        """Collect links and names."""
        attributes = dict(attributes)
        self.places |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag in ("a", "img", "script", "link", "iframe"):
            self.links |= {attributes[key] for key in ("href", "src") if attributes.get(key)}


def broken(root):
    """Give pairs of a page and a link on it that leads nowhere."""
    paths = sorted(root.resolve().rglob("*.html"))
    pages = {path: Page(path) for path in paths if "_static" not in path.parts}  # templates
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme in SKIPPED or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            is_place = target not in pages or unquote(parts.fragment) in pages[target].places
            if not (target.exists() and is_place):
                yield path.relative_to(root.resolve()), link


if __name__ == "__main__":
    found = list(broken(Path(sys.argv[1])))
    sys.exit("\n".join(f"{page}: {link} leads nowhere" for page, link in found) or None)
