"""Tensors of torch, known and read without its import, which costs seconds."""


def is_tensor(X):
    """Whether X is a tensor of torch, whose import costs seconds."""
    return hasattr(X, "detach") and hasattr(X, "cpu")


def to_numpy(X):
    """Give torch tensors as arrays that share their memory where they can; all else as it is."""
    if not is_tensor(X):
        return X
    X = X.detach().cpu()
    return (X.float() if str(X.dtype) == "torch.bfloat16" else X).numpy()
