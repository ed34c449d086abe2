"""How a phase is trained: networks, batches, nets, phases, watchers, resuming.

Imports the leaves, `_grouping`, `_storage` and `_utils`; the one room that knows skorch.
"""
