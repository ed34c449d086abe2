"""Scores of a clustering, against known labels and against other fits.

The accuracy of a majority mapping (purity) never falls if clusters are split, and any accuracy is
high if most samples have the same class. :func:`clustering_report` therefore adds the number of
clusters, the majority baseline, and scores such as ARI, which do not rise by chance.
:func:`stability_report` needs no labels: it fits the model again and reports which clusters come
back. :func:`patient_profile` describes groups of patients who have several images, and
:func:`confounding_report` compares groups with what they may show besides the patients.

Imports `_input`, `_statistics` and `_utils`.
"""

from ._confounding import ConfoundingReport, confounding_report
from ._outcome import OutcomeTest
from ._patients import PatientProfile, patient_profile
from ._scores import ClusteringReport, clustering_report, hungarian_accuracy, purity_score
from ._stability import StabilityReport, stability_report

__all__ = [
    "ClusteringReport",
    "ConfoundingReport",
    "OutcomeTest",
    "PatientProfile",
    "StabilityReport",
    "clustering_report",
    "confounding_report",
    "hungarian_accuracy",
    "patient_profile",
    "purity_score",
    "stability_report",
]
