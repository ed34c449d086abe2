"""Conversion of values to JSON and tensors and back, without running code of a file.

Only types listed here and classes in the caller's table can be packed. Other values raise an error
that names them.
"""

import math
from collections import OrderedDict

import numpy as np
import torch
from scipy import sparse

from .._utils.random import set_state

#: Limits of a file: characters in arrays of text, and keys that are not strings.
_MAX_TEXT = 2**24
_MAX_KEYS = 10_000
_NUMBERS = {str(np.dtype(kind)) for kind in "?bBhHiIqQefd"}
#: NumPy scalar types by dtype name, and Python types.
_SCALAR_TYPES = {
    **{name: np.dtype(name).type for name in _NUMBERS},
    "object": np.object_,
    "number": np.number,
    **{f"builtins.{kind.__name__}": kind for kind in (bool, int, float, str, object)},
}
_SPARSE = {
    f"{form}_{kind}": getattr(sparse, f"{form}_{kind}")
    for form in ("csr", "csc")
    for kind in ("array", "matrix")
}


class Known:
    """A class whose instances can be packed, and how.

    Parameters
    ----------
    cls : type
        The class.
    """

    def __init__(self, cls):
        self.cls = cls

    def take_apart(self, instance):
        """Return the state of an instance, a dict."""
        return vars(instance)

    def put_together(self, state):
        """Return an instance with the given state."""
        fields = getattr(self.cls, "__dataclass_fields__", {})  # defaults are class attributes
        foreign = [
            name
            for name in state
            if name.startswith("__") or (hasattr(self.cls, name) and name not in fields)
        ]
        if foreign:
            raise ValueError(f"{foreign} are not part of the state of {self.cls.__name__}")
        instance = self.cls.__new__(self.cls)
        vars(instance).update(state)
        return instance


def dotted_name(thing):
    """Return the module and qualified name of a class or function."""
    module = getattr(thing, "__module__", None)  # methods of C have none
    if module and module.startswith("sklearn_cae."):  # the public path, without private modules
        module = ".".join(part for part in module.split(".") if not part.startswith("_"))
    return f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


class Packer:
    """Converter of values to JSON and tensors.

    Parameters
    ----------
    known : dict of str to Known
        Classes by their names in files.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Tensors found, by path.
    """

    def __init__(self, known):
        self.known = {one.cls: (name, one) for name, one in known.items()}
        self.tensors = {}
        self._callables = {}
        self._n_characters = 0

    def pack(self, value, path):
        """Return a value as JSON types, and add its arrays to `tensors`.

        Parameters
        ----------
        value : object
            Value to pack.
        path : str
            Name of the value in `tensors` and messages.

        Raises
        ------
        TypeError
            If the value, or a part of it, cannot be packed.
        ValueError
            If it exceeds the limits of `Unpacker`.
        """
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"type": "float", "value": repr(value)}
        if type(value) is list:
            return [self.pack(each, f"{path}.{i}") for i, each in enumerate(value)]
        if type(value) is tuple:
            return {"type": "tuple", "items": self.pack(list(value), path)}
        if type(value) in (dict, OrderedDict):
            return {"type": "dict", "items": self._pack_items(value, path)}
        if isinstance(value, np.generic):
            return {"type": "scalar", "array": self.pack(np.asarray(value), path)}
        if type(value) in (np.ndarray, np.memmap):
            return self._pack_array(value, path)
        if isinstance(value, torch.Tensor):
            if value.layout is not torch.strided or value.dtype == torch.complex128:
                raise _refusal(path, f"a tensor of {value.dtype} and {value.layout}")
            return {"type": "tensor", "name": self._keep(value.detach().cpu(), path)}
        if sparse.issparse(value):
            return self._pack_sparse(value, path)
        if isinstance(value, slice):
            return {
                "type": "slice",
                "items": self.pack([value.start, value.stop, value.step], path),
            }
        if isinstance(value, np.dtype) and value.name in _SCALAR_TYPES:
            return {"type": "dtype", "name": value.name}
        if isinstance(value, type) and value in _SCALAR_TYPES.values():
            (name,) = (name for name, one in _SCALAR_TYPES.items() if one is value)
            return {"type": "scalar_type", "name": name}
        if isinstance(value, torch.device):
            return {"type": "device", "name": str(value)}
        if isinstance(value, np.random.RandomState):
            if value.get_state(legacy=False)["bit_generator"] != "MT19937":
                raise _refusal(path, "a RandomState of another generator than MT19937")
            return {"type": "random_state", "state": self.pack(value.get_state(), path)}
        return self._pack_other(value, path)

    def _pack_items(self, items, path):
        if sum(type(key) is not str for key in items) > _MAX_KEYS:
            raise ValueError(
                f"{path} must have at most {_MAX_KEYS} keys that are no strings, got {len(items)}. "
                "Use joblib.dump, whose files run code when they are loaded."
            )
        return [
            [self.pack(key, f"{path} key {i}"), self.pack(value, f"{path}.{key}")]
            for i, (key, value) in enumerate(items.items())
        ]

    def _keep(self, tensor, path):
        """Store a tensor under an unused name, and return the name."""
        while path in self.tensors:
            path += "'"
        # A clone, because tensors in a file cannot share memory.
        self.tensors[path] = tensor.clone(memory_format=torch.contiguous_format)
        return path

    def _pack_array(self, array, path):
        if array.dtype.names is not None:
            fields = {name: array[name] for name in array.dtype.names}
            return {"type": "structured", "fields": self.pack(fields, path)}
        if array.dtype.kind == "U" or array.dtype == object:
            kind = "objects" if array.dtype == object else "strings"
            packed = {"type": kind, "shape": list(array.shape)}
            if kind == "strings":
                packed["width"] = array.dtype.itemsize // 4
                self._n_characters += packed["width"] * array.size
                if self._n_characters > _MAX_TEXT:
                    raise ValueError(
                        f"Arrays of fixed-width text may have at most {_MAX_TEXT} characters, but "
                        f"with {path}, {array.size} texts of width {packed['width']}, they have "
                        f"{self._n_characters}. Pass it as an array of dtype=object, or shorten "
                        "the longest text."
                    )
            return {**packed, "values": self.pack(array.ravel().tolist(), path)}
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if str(array.dtype) not in _NUMBERS:
            raise _refusal(path, f"an array of dtype {array.dtype}")
        # Keep the memory order: the last bit of sums depends on it.
        flipped = [axis for axis, stride in enumerate(array.strides) if stride < 0]
        array = np.flip(array, flipped)
        order = "F" if np.isfortran(array) else "C"
        array = np.array(array.T if order == "F" else array, order="C")
        name = self._keep(torch.from_numpy(array), path)
        return {"type": "array", "name": name, "order": order, "flipped": flipped}

    def _pack_sparse(self, value, path):
        name = type(value).__name__
        if name not in _SPARSE:
            raise _refusal(path, f"a sparse matrix of the format {value.format!r}, not csr or csc")
        parts = {part: getattr(value, part) for part in ("data", "indices", "indptr")}
        return {
            "type": "sparse",
            "name": name,
            "shape": list(value.shape),
            "parts": self.pack(parts, path),
        }

    def _pack_callable(self, value, path):
        """Return the name of a callable, which `Unpacker` needs under its parameter name."""
        parameter = [part for part in path.split(".") if not part.isdigit()][-1]
        name = dotted_name(value)
        if self._callables.setdefault(parameter, name) != name:
            raise TypeError(
                f"{path} is {name}, but another {parameter} is {self._callables[parameter]}, and "
                "load takes one callable per name. Use the same function for both, or joblib.dump, "
                "whose files run code when they are loaded."
            )
        return {"type": "callable", "name": name}

    def _pack_other(self, value, path):
        if type(value) in self.known:
            name, one = self.known[type(value)]
            state = self.pack(dict(one.take_apart(value)), path)
            return {"type": "object", "class": name, "state": state}
        if isinstance(value, type) and value in self.known:
            return {"type": "class", "name": self.known[value][0]}
        if self.known and callable(value) and not hasattr(value, "get_params"):
            return self._pack_callable(value, path)
        raise _refusal(path, f"an instance of {dotted_name(type(value))}")


def can_be_packed(value):
    """Return whether a value can be packed without known classes."""
    try:
        Packer({}).pack(value, "")
    except (TypeError, ValueError):
        return False
    return True


def _refusal(path, what):
    return TypeError(
        f"{path} is {what}, which cannot be saved. Leave it out, or use joblib.dump, whose files "
        "run code when they are loaded."
    )


class Unpacker:
    """Converter of JSON and tensors back to values.

    Parameters
    ----------
    known : dict of str to Known
        Classes by their names in files.
    get_tensor : callable
        Function from names to tensors.
    callables : dict of str to callable
        User's callables by the last part of their paths.

    Attributes
    ----------
    needed : set of str
        Names of the callables that were used.
    """

    def __init__(self, known, get_tensor, callables=None):
        self.known = known
        self.get_tensor = get_tensor
        self.callables = callables or {}
        self.needed = set()
        self._used = set()
        self._n_characters = 0

    def unpack(self, packed, name=""):
        """Return the value of a packed one; `name` is its parameter or attribute."""
        if isinstance(packed, list):
            return [self.unpack(each, name) for each in packed]
        if not isinstance(packed, dict):
            return packed
        return getattr(self, f"_unpack_{_checked(packed['type'])}")(packed, name)

    def _unpack_float(self, packed, name):
        return float(packed["value"])

    def _unpack_tuple(self, packed, name):
        return tuple(self.unpack(packed["items"], name))

    def _unpack_dict(self, packed, name):
        keys = [self.unpack(key) for key, _ in packed["items"]]
        if sum(type(key) is not str for key in keys) > _MAX_KEYS:  # equal hashes can be forged
            raise ValueError(f"a dict has more than {_MAX_KEYS} keys that are no strings")
        values = [value for _, value in packed["items"]]
        return {key: self.unpack(value, key) for key, value in zip(keys, values, strict=True)}

    def _unpack_scalar(self, packed, name):
        return self.unpack(packed["array"], name)[()]

    def _unpack_array(self, packed, name):
        array = self._unpack_tensor(packed, name).numpy()
        array = array.T if packed["order"] == "F" else array
        return np.flip(array, tuple(packed["flipped"]))

    def _unpack_tensor(self, packed, name):
        # Once each: otherwise a small file could use a tensor many times and fill the memory.
        if packed["name"] in self._used:
            raise ValueError(f"the tensor {packed['name']!r} is used twice")
        self._used.add(packed["name"])
        return self.get_tensor(packed["name"]).clone()

    def _unpack_structured(self, packed, name):
        fields = self.unpack(packed["fields"])
        (shape,) = {value.shape for value in fields.values()}
        array = np.empty(shape, [(key, value.dtype) for key, value in fields.items()])
        for key, value in fields.items():
            array[key] = value
        return array

    def _unpack_strings(self, packed, name):
        values, width = self.unpack(packed["values"]), packed["width"]
        if not all(type(value) is str for value in values):
            raise ValueError("an array of text holds values that are not text")
        self._n_characters += width * len(values)
        if self._n_characters > _MAX_TEXT:
            raise ValueError(f"its arrays have more than {_MAX_TEXT} characters")
        return np.array(values, dtype=f"U{width}").reshape(packed["shape"])

    def _unpack_objects(self, packed, name):
        array = np.empty(len(packed["values"]), dtype=object)
        array[:] = self.unpack(packed["values"])
        return array.reshape(packed["shape"])

    def _unpack_sparse(self, packed, name):
        parts, cls = self.unpack(packed["parts"]), _SPARSE[packed["name"]]
        shape = tuple(packed["shape"])
        matrix = cls((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
        matrix.check_format(full_check=True)  # compiled code does not check indices
        return matrix

    def _unpack_slice(self, packed, name):
        return slice(*self.unpack(packed["items"]))

    def _unpack_dtype(self, packed, name):
        return np.dtype(_SCALAR_TYPES[packed["name"]])

    def _unpack_scalar_type(self, packed, name):
        return _SCALAR_TYPES[packed["name"]]

    def _unpack_device(self, packed, name):
        return torch.device(packed["name"])

    def _unpack_random_state(self, packed, name):
        random_state = np.random.RandomState()
        set_state(random_state, self.unpack(packed["state"]))
        return random_state

    def _unpack_object(self, packed, name):
        return self.known[packed["class"]].put_together(self.unpack(packed["state"]))

    def _unpack_class(self, packed, name):
        return self.known[packed["name"]].cls

    def _unpack_callable(self, packed, name):
        if name not in self.callables:
            raise MissingCallable(name, packed["name"])
        self.needed.add(name)
        return self.callables[name]


_TYPES = {name.removeprefix("_unpack_") for name in vars(Unpacker) if name.startswith("_unpack_")}


def _checked(kind):
    if kind not in _TYPES:
        raise ValueError(f"the type {kind!r} is unknown")
    return kind


class MissingCallable(Exception):
    """A user's callable is needed to unpack a value."""

    def __init__(self, name, dotted):
        super().__init__(name, dotted)
        self.name = name
        self.dotted = dotted
