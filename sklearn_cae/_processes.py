"""Several processes that train one model: each calls the same ``fit`` on the same samples.

The processes are those of ``torch.distributed``, if its process group was started. Inside a fit,
each trains on its share of every batch. What is not training is computed by the first process.
Outside of a fit, and in what the first process computes, each process is alone.
"""

import os
import pickle
import threading
import traceback
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps

import torch
import torch.distributed as dist

from ._utils.warnings import warn

_LONGEST = timedelta(days=7)  # of a step, because the first process may search for long
_LAST_WORDS = timedelta(seconds=30)  # until the others have told why they stop
_now = threading.local()


class _LostError(RuntimeError):
    """Other processes do not answer, because one of them has failed."""


@contextmanager
def _asking():
    """Raise `_LostError` if a collective operation fails."""
    try:
        yield
    except RuntimeError as error:
        raise _LostError(str(error)) from None


class _Group:
    """The processes of a fit.

    A process that fails leaves the group `channel`, so that the others stop waiting in it. Why it
    failed is told in the group `for_words`.
    """

    def __init__(self):
        self.rank, self.n = dist.get_rank(), dist.get_world_size()
        self.channel = dist.new_group(backend="gloo", timeout=_LONGEST)
        self.for_words = dist.new_group(backend="gloo", timeout=_LAST_WORDS)
        is_on_gpus = "nccl" in str(dist.get_backend())
        self.between_gpus = dist.new_group(backend="nccl") if is_on_gpus else None
        self.sizes = None  # number of rows of each process in this step

    def leave(self):
        """Close the connections. Processes that wait for this one then fail at once."""
        for name in ("channel", "between_gpus"):
            group = getattr(self, name)
            setattr(self, name, None)
            if group is not None:
                dist.destroy_process_group(group)

    def run(self, collective, tensor, **options):
        """Run a collective operation on a tensor of any device, in place."""
        with _asking():
            if tensor.is_cuda and self.between_gpus is not None:
                collective(tensor, group=self.between_gpus, **options)
            elif tensor.is_cpu:
                collective(tensor, group=self.channel, **options)
            else:
                on_cpu = tensor.cpu()
                collective(on_cpu, group=self.channel, **options)
                tensor.copy_(on_cpu)

    def gather_sizes(self, n_rows):
        """Return the number of rows of each process."""
        sizes = torch.zeros(self.n, dtype=torch.int64)
        sizes[self.rank] = n_rows
        self.run(dist.all_reduce, sizes)
        return sizes.tolist()

    def gather_objects(self, value):
        """Return a list with the value of each process."""
        values = [None] * self.n
        with _asking():
            dist.all_gather_object(values, value, group=self.channel)
        return values

    def send_from_first(self, value):
        """Return the bytes of the first process."""
        sent = [value]
        with _asking():
            dist.broadcast_object_list(sent, src=0, group=self.channel)
        return sent[0]


# ---- One fit in all processes ----


def together(fit):
    """Let all processes run `fit` as one, if a process group was started.

    If one of them fails, the others stop, too, with its words.
    """

    @wraps(fit)
    def fit_together(*args, **kwargs):
        is_inside = hasattr(_now, "group")
        is_started = dist.is_available() and dist.is_initialized()
        if not is_inside and not is_started:
            _check_started()
        if is_inside or not is_started or dist.get_world_size() == 1:
            return fit(*args, **kwargs)
        group = _now.group = _Group()
        try:
            result = fit(*args, **kwargs)
            group.gather_objects(None)  # another one may still fail
            return result
        except BaseException as error:
            _tell(group, error)
            raise
        finally:
            del _now.group
            group.leave()
            dist.destroy_process_group(group.for_words)

    return fit_together


def _check_started():
    """Warn if several processes were started, and do not know each other."""
    n = os.environ.get("WORLD_SIZE", "1")
    if n.isdigit() and int(n) > 1:
        warn(
            f"{n} processes were started (WORLD_SIZE), but torch.distributed.init_process_group "
            "was not called, so each trains a model of its own. To train one model, call it before "
            "fit.",
            UserWarning,
        )


def _tell(group, error):
    """Tell the others why this process stops, or raise what another one tells."""
    words = None if isinstance(error, _LostError) else f"{type(error).__name__}: {error}"
    _forget_frames(error)
    group.leave()
    told = [None] * group.n
    try:
        dist.all_gather_object(told, words, group=group.for_words)
    except RuntimeError:
        told = [None]
    if words is not None:
        return
    for rank, each in enumerate(told):
        if each is not None:
            raise RuntimeError(f"Process {rank} of {group.n} ended the fit. {each}") from None
    raise RuntimeError(
        f"One of the {group.n} processes of this fit ended without a word, for example because it "
        "was killed, or had no memory. Start all of them again. With checkpoint_dir, the fit goes "
        "on from its last epoch."
    ) from None


def _forget_frames(error):
    """Clear the frames of an error: a group that one of them holds would not close."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _group():
    return getattr(_now, "group", None)


def n_processes():
    """Return the number of processes of this fit; 1 outside of a fit."""
    group = _group()
    return 1 if group is None else group.n


def is_first():
    """Return whether this process is the first one, or alone."""
    group = _group()
    return group is None or group.rank == 0


@contextmanager
def _alone():
    """Compute as one process."""
    group, _now.group = _now.group, None
    try:
        yield
    finally:
        _now.group = group


def check_alike(facts):
    """Raise ValueError on all processes if a fact differs between them.

    Parameters
    ----------
    facts : dict
        Values that can be compared and pickled, by their names.
    """
    group = _group()
    if group is None:
        return
    first, *others = group.gather_objects(facts)
    for rank, other in enumerate(others, start=1):
        for name, value in first.items():
            if other.get(name) != value:
                raise ValueError(
                    f"All processes of a fit must have the same {name}, got {value!r} in process "
                    f"0 and {other.get(name)!r} in process {rank}. Pass the same to all of them."
                )


def on_first(compute, *args, rng=None):
    """Compute on the first process, and return its result on all.

    Parameters
    ----------
    compute : callable
        Its result must be picklable. Its error is raised on all processes.
    *args
        Arguments of `compute`.
    rng : RandomState, default=None
        Generator that `compute` uses. Afterwards, all processes have its state.

    Returns
    -------
    result : object
    """
    group = _group()
    if group is None:
        return compute(*args)
    result = error = sent = None
    if group.rank == 0:
        with _alone():
            try:
                result = compute(*args)
            except BaseException as raised:
                error = raised
        sent = _pickled(result, error, None if rng is None else rng.get_state(legacy=False))
    sent = group.send_from_first(sent)
    if group.rank > 0:
        result, error, state = pickle.loads(sent)
        if rng is not None and error is None:
            rng.set_state(state)
    if error is not None:
        raise error
    return result


def _pickled(result, error, state):
    """Pickle a result and an error, or the error that one of them cannot be pickled."""
    try:
        return pickle.dumps((result, error, state))
    except Exception as problem:
        text = f"{type(error).__name__}: {error}"
        if error is None:
            text = (
                f"A {type(result).__name__} of the first process must be picklable, so that the "
                f"others get it: {problem}. Pass callables and clusterers that can be pickled, or "
                "fit in one process."
            )
        return pickle.dumps((None, RuntimeError(text), None))


# ---- Shares of the work ----


def share_of(items):
    """Return the part of an array, list or range that belongs to this process.

    The parts follow each other, and their lengths differ by at most 1.
    """
    group = _group()
    if group is None:
        return items
    n_items = len(items)
    return items[group.rank * n_items // group.n : (group.rank + 1) * n_items // group.n]


def complete(outputs, start, stop):
    """Exchange the rows that each process computed.

    Parameters
    ----------
    outputs : tuple of Tensor, or None
        Arrays of all rows on the CPU; None if this process computed no rows.
    start, stop : int
        Rows that this process computed.

    Returns
    -------
    outputs : tuple of Tensor
        The same arrays with the rows of all processes.
    """
    group = _group()
    if group is None:
        return outputs
    about = outputs and [(each.shape, each.dtype) for each in outputs]
    shares = group.gather_objects((start, stop, about))
    if outputs is None:
        about = next(made for *_, made in shares if made)
        outputs = tuple(torch.empty(shape, dtype=dtype) for shape, dtype in about)
    for rank, (first, last, _) in enumerate(shares):
        for each in outputs:
            if first < last and each[first:last].numel():
                rows = each[first:last].view(torch.uint8)  # gloo does not know all types
                group.run(dist.broadcast, rows, src=rank)
    return outputs


@contextmanager
def own_numbers(generator, seeds_global):
    """Let each process draw other random numbers.

    All enter and leave with the same state of the generator.

    Parameters
    ----------
    generator : torch.Generator
    seeds_global : bool
        Whether torch's global generators are seeded, too.
    """
    group = _group()
    if group is None:
        yield
        return
    seed = int(torch.randint(2**62, (), generator=generator)) + group.rank
    after = generator.get_state()
    generator.manual_seed(seed)
    if seeds_global:
        torch.random.default_generator.manual_seed(seed)
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed(seed)
    try:
        yield
    finally:
        generator.set_state(after)


# ---- Steps of the training ----


def begin_step(n_rows):
    """Tell the others the number of rows of this process in this step."""
    group = _group()
    if group is not None:
        group.sizes = group.gather_sizes(n_rows)


def n_rows_together(n_rows):
    """Return the number of rows of all processes in this step."""
    group = _group()
    return n_rows if group is None else sum(group.sizes)


def weight():
    """Return the weight of a mean over the rows of this process.

    The mean over processes of weighted means is the mean over all rows.
    """
    group = _group()
    return 1.0 if group is None else group.n * group.sizes[group.rank] / sum(group.sizes)


def gather_pairs(rows):
    """Gather the rows of all processes, so that each computes the whole loss.

    Parameters
    ----------
    rows : Tensor of shape (2 * n_own, n_features)
        Rows of the first views, then those of the second views.

    Returns
    -------
    rows : Tensor of shape (2 * n_all, n_features)
        First and second views of all processes, in float32. Gradients flow to the own rows alone.
        They are multiplied by the number of processes, because gradients are averaged later.
    """
    group = _group()
    return rows if group is None else _GatherPairs.apply(rows.float(), group)


class _GatherPairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, group):
        halves = [size // 2 for size in group.sizes]
        start = sum(halves[: group.rank])
        ctx.own, ctx.n = slice(start, start + halves[group.rank]), group.n
        # One sum of zeros and own rows, because gloo gathers only parts of equal size.
        every = rows.new_zeros((2, sum(halves), *rows.shape[1:]))
        every[:, ctx.own] = rows.unflatten(0, (2, -1))
        group.run(dist.all_reduce, every)
        return every.flatten(0, 1)

    @staticmethod
    def backward(ctx, gradient):
        own = gradient.unflatten(0, (2, -1))[:, ctx.own]
        return ctx.n * own.flatten(0, 1), None


def average_gradients(module, loss):
    """Replace the gradients of a module by their means over processes.

    Parameters
    ----------
    module : nn.Module
    loss : Tensor of shape ()

    Returns
    -------
    loss : Tensor of shape ()
        Its mean over processes.
    """
    group = _group()
    if group is None:
        return loss
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    # A weight may have a gradient in one process alone.
    has = torch.tensor([weight.grad is not None for weight in weights], device=loss.device)
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    *parts, has, loss = _averaged(group, [*parts, has, loss.detach()])
    for weight, part, has_one in zip(weights, parts, has, strict=True):
        if weight.grad is not None:
            weight.grad.copy_(part)
        elif has_one > 0:
            weight.grad = part.to(weight.dtype)
    return loss


def average_buffers(module):
    """Replace the buffers of a module by their means, such as the statistics of BatchNorm."""
    group = _group()
    buffers = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
    if group is None or not buffers:
        return
    for buffer, mean in zip(buffers, _averaged(group, buffers), strict=True):
        buffer.copy_(mean)


def average_values(values):
    """Return the means over processes of a dict of tensors."""
    group = _group()
    if group is None or not values:
        return values
    return dict(zip(values, _averaged(group, list(values.values())), strict=True))


def _averaged(group, tensors):
    """Average tensors as one flat one, which is much faster than one after the other."""
    flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
    group.run(dist.all_reduce, flat)
    flat /= group.n
    parts = flat.split([tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


def share_weights(tensors):
    """Replace tensors by those of the first process."""
    group = _group()
    if group is None:
        return
    for tensor in tensors:
        sent = tensor.detach().contiguous()
        group.run(dist.broadcast, sent, src=0)
        tensor.detach().copy_(sent)
