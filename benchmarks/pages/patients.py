"""Table of false alarms of tests that count images or patients."""

from benchmarks.pages._tables import read, table

WHOSE = {"patient": "of the patient, such as age", "image": "of the image, such as brightness"}


def render_patients():
    """Show the share of studies without an association in which a test finds one."""
    shares = {}
    for one in read("patients"):
        row = shares.setdefault((one["column"], one["kind"]), {})
        row[one["counted"]] = f"{100 * one['false_alarms']:.1f} %"
    rows = [
        [WHOSE[column], kind, row.get("images", ""), row["patients"]]
        for (column, kind), row in shares.items()
    ]
    return table(["column", "kind", "images counted", "patients counted"], rows)


TABLES = {"patients": render_patients}
