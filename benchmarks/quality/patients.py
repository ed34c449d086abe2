"""False alarms of tests that count images, and of tests that count patients.

Run from the repository; it needs no data:

    python -m benchmarks.quality.patients

Studies without any association are drawn: 60 patients with 1 to 6 images each. Groups and
embeddings depend on the patient, so that images of a patient are often in one group, and near each
other. A column belongs to the patient, such as age, or to the image, such as brightness, and then
depends on the patient too. Each study is tested by images and by patients. The share of studies
with p of at most .05 should be .05.

Prints a row per column and test, and writes ``benchmarks/results/patients.json``.
"""

import argparse

import numpy as np
import pandas as pd

from benchmarks._common import RESULTS, describe_run, write_records
from sklearn_cae import patient_profile
from sklearn_cae._statistics import patients as permutations
from sklearn_cae._statistics.associations import compare_categories, compare_numbers
from sklearn_cae.metrics import confounding_report

PATH = RESULTS / "patients.json"
N_PATIENTS = 60
MOST_IMAGES = 6
#: Standard deviation of the images of a patient, if that of the patients is 1.
WITHIN = {"groups": 0.5, "patient": 0.0, "image": 1.0}
LEVEL = 0.05
EMBEDDING_DIM = 8
N_PERMUTATIONS = 499  # with the study itself 500, of which .05 is a whole number


def draw_study(rng):
    """Return groups and embedding of images, {whose column: values} and patients."""
    patients = np.repeat(np.arange(N_PATIENTS), rng.randint(1, MOST_IMAGES + 1, N_PATIENTS))
    values = {
        name: rng.normal(size=N_PATIENTS)[patients] + within * rng.normal(size=len(patients))
        for name, within in WITHIN.items()
    }
    embedding = rng.normal(size=(N_PATIENTS, EMBEDDING_DIM))[patients]
    embedding += WITHIN["groups"] * rng.normal(size=embedding.shape)
    return in_thirds(values.pop("groups")), embedding, values, patients


def in_thirds(values):
    return np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)


def test_study(rng):
    """Return {(whose column, kind, counted): p-value} of a study."""
    groups, embedding, columns, patients = draw_study(rng)
    found = {}
    for whose, values in columns.items():
        codes = in_thirds(values)
        for counted, of in (("images", None), ("patients", patients)):
            numbers = compare_numbers(values, groups, rng, of)
            categories = compare_categories(codes, groups, rng, of)
            found[whose, "numbers", counted] = numbers.p_value
            found[whose, "categories", counted] = categories.p_value
            nuisances = pd.DataFrame({"numbers": values, "categories": codes})
            read = confounding_report(
                groups, embedding, nuisances, groups=of, n_resamples=100, random_state=rng
            )
            for kind, p_value in read.table.knn_p_value.items():
                found[whose, f"{kind} read by neighbours", counted] = p_value
    outcome = in_thirds(columns["patient"]).astype(str)
    profile = patient_profile(groups, patients, outcome, n_resamples=100, random_state=rng)
    found["patient", "outcome of a profile", "patients"] = profile.outcome.p_value
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    permutations.PERMUTATIONS = N_PERMUTATIONS
    rng = np.random.RandomState(options.seed)
    studies = [test_study(rng) for _ in range(options.studies)]
    records = []
    for whose, kind, counted in studies[0]:
        alarms = np.mean([study[whose, kind, counted] <= LEVEL for study in studies])
        row = {"column": whose, "kind": kind, "counted": counted, "false_alarms": float(alarms)}
        print(row, flush=True)
        records.append({**row, "studies": options.studies, "seed": options.seed})
    made_by = describe_run("scipy", "pandas")
    write_records(PATH, [{**record, "made_by": made_by} for record in records])


if __name__ == "__main__":
    main()
