"""Training of a phase: networks, batches, nets, phases, watchers, resuming.

Imports the leaves, `_grouping`, `_storage` and `_utils`. Only this room and `callbacks` use skorch.
"""
