"""Write the tables of the README and of ``docs`` from ``benchmarks/results``.

python -m benchmarks.pages.render           # rewrite them
python -m benchmarks.pages.render --check   # fail if one differs from the results
"""

import sys
from pathlib import Path

from benchmarks.pages import (
    ablations,
    distributed,
    encoders,
    files,
    folder,
    foreign,
    how,
    images,
    overview,
    patients,
    performance,
    quick_look,
    reliability,
    scanner,
    small,
    stability,
    table1,
)

ROOT = Path(__file__).parents[2]
PAGES: dict[str, dict] = {
    "README.md": {"results": table1.render_results},
    "docs/measured/benchmarks.md": overview.TABLES,
    "docs/measured/benchmarks_pneumoniamnist.md": table1.TABLES["pneumoniamnist"],
    "docs/measured/benchmarks_mnist.md": table1.TABLES["mnist"],
    "docs/measured/benchmarks_images.md": images.TABLES,
    "docs/measured/benchmarks_how.md": how.TABLES,
    "docs/measured/ablations.md": ablations.TABLES,
    **folder.TABLES,
    **encoders.TABLES,
    "docs/measured/foreign.md": foreign.TABLES,
    "docs/measured/small.md": small.TABLES,
    "docs/measured/stability.md": stability.TABLES,
    "docs/measured/quick_look.md": quick_look.TABLES,
    "docs/measured/patients.md": patients.TABLES,
    "docs/measured/scanner.md": scanner.TABLES,
    "docs/measured/files.md": files.TABLES,
    "docs/measured/reliability.md": reliability.TABLES,
    "docs/measured/performance.md": performance.TABLES,
    **distributed.TABLES,
}


def main():
    for page, tables in PAGES.items():
        path = ROOT / page
        text = old = path.read_text()
        for name, render in tables.items():
            start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
            before, rest = text.split(start)
            text = before + start + render() + end + rest.split(end)[1]
        if "--check" in sys.argv and text != old:
            sys.exit(f"{page}: run python -m benchmarks.pages.render")
        path.write_text(text)


if __name__ == "__main__":
    main()
