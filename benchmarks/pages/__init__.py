"""The tables of the README and of ``docs``, rendered from ``benchmarks/results``."""
