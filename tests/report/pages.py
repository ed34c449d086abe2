"""Reading of reports, for tests that look at their data."""

import base64
import csv
import html.parser
import io
import json
import re

import numpy as np
from PIL import Image


def read_points(path):
    """The data of the map."""
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="points">(.*?)</script>', text, re.DOTALL).group(1))


def read_about(path):
    """What the page writes into answers about its clusters."""
    text = path.read_text(encoding="utf-8")
    return json.loads(html.unescape(re.search(r'data-about="(.*?)"', text).group(1)))


class Page(html.parser.HTMLParser):
    """A report, read back: its pictures by alternative text, its tables, its data."""

    def __init__(self, path):
        super().__init__()
        self.path, self.source = path, path.read_text(encoding="utf-8")
        self.tags, self.pictures, self.tables, self.data = [], {}, [], []
        self.in_cell = False
        self.feed(self.source)
        self.text = " ".join(" ".join(self.data).split())
        self.points = read_points(path)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "img":
            alt, src = dict(attributes)["alt"], dict(attributes)["src"]
            self.pictures.setdefault(alt, []).append(read_picture(src))
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] in ("script", "style"):
            return
        self.data.append(data)
        if self.in_cell:
            self.tables[-1][-1][-1] += data.strip()

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)

    def row(self, name):
        """Cells beside a name, in the first table that has it."""
        return next(row[1:] for table in self.tables for row in table if row[0] == name)

    def rows_shown(self, heading):
        """Row numbers under each heading of that name, if names are those by default."""
        parts = re.split(r"<h4>|</ul>", self.source)
        return [
            [int(row) for row in re.findall(r'<span class="name">\w+ (\d+)</span>', part)]
            for part in parts
            if part.startswith(heading)
        ]

    def table(self):
        """Rows of the table that can be downloaded, as dicts."""
        uri = re.search(r'href="data:text/csv;charset=utf-8;base64,(.*?)"', self.source).group(1)
        return list(csv.DictReader(io.StringIO(base64.b64decode(uri).decode("utf-8-sig"))))

    def notes(self):
        """Warnings at the top of the page."""
        notes = re.findall(r'<div class="note".*?</div>', self.source, re.DOTALL)
        return " ".join(" ".join(re.sub(r"<[^>]*>", " ", note) for note in notes).split())

    def sheet(self):
        """Pictures to hover over, in the order of the points."""
        uri = re.search(r"url\((data:[^)]*)\)", self.source).group(1)
        sheet, sprite = read_picture(uri), self.points["sprite"]
        width, height, columns = sprite["width"], sprite["height"], sprite["columns"]
        for i in range(len(self.points["row"])):
            top, left = i // columns * height, i % columns * width
            yield sheet[top : top + height, left : left + width]


def read_picture(uri):
    kind, content = uri.split(",")
    assert kind in ("data:image/png;base64", "data:image/jpeg;base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
