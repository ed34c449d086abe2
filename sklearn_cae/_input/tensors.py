"""Torch tensors, recognised and read without an import of torch, which takes seconds."""


def is_tensor(X):
    """Return whether X is a torch tensor, without an import of torch."""
    return hasattr(X, "detach") and hasattr(X, "cpu")


def to_numpy(X):
    """Convert a torch tensor to an array, if possible without a copy; return others unchanged."""
    if not is_tensor(X):
        return X
    X = X.detach().cpu()
    return (X.float() if str(X.dtype) == "torch.bfloat16" else X).numpy()
