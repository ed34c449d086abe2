"""Values taken apart into JSON and tensors, and put together again, with no code of a file run.

What can be packed is listed here and in the table of classes that a caller passes; all else is
refused by name.
"""

import math
from collections import OrderedDict

import numpy as np
import torch
from scipy import sparse

from .._utils.random import set_state

#: What a file may ask for: characters in arrays of text, keys that are no text.
_MAX_TEXT = 2**24
_MAX_KEYS = 10_000
_NUMBERS = {str(np.dtype(kind)) for kind in "?bBhHiIqQefd"}
#: Types of columns, by the names of their dtypes; and Python's own.
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
    """A class whose instances may be packed: how they come apart and together.

    Parameters
    ----------
    cls : type
    """

    def __init__(self, cls):
        self.cls = cls

    def take_apart(self, instance):
        """Give the state of an instance, a dict."""
        return vars(instance)

    def put_together(self, state):
        """Give an instance with a state."""
        fields = getattr(self.cls, "__dataclass_fields__", {})  # whose defaults are the class's
        foreign = [
            name
            for name in state
            if name.startswith("__") or (hasattr(self.cls, name) and name not in fields)
        ]
        if foreign:
            raise ValueError(f"{foreign} are no state of {self.cls.__name__}")
        instance = self.cls.__new__(self.cls)
        vars(instance).update(state)
        return instance


def dotted_name(thing):
    """Name a class or function by its module and qualified name."""
    module = getattr(thing, "__module__", None)  # which methods of C have not
    if module and module.startswith("sklearn_cae."):  # by its public path, wherever it is defined
        module = ".".join(part for part in module.split(".") if not part.startswith("_"))
    return f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"


class Packer:
    """Takes values apart.

    Parameters
    ----------
    known : dict of str to Known
        By the names that stand in files.

    Attributes
    ----------
    tensors : dict of str to Tensor
        What was found, by its path.
    """

    def __init__(self, known):
        self.known = {one.cls: (name, one) for name, one in known.items()}
        self.tensors = {}
        self._callables = {}
        self._n_characters = 0

    def pack(self, value, path):
        """Give what JSON can hold for a value; its arrays go to `tensors`.

        Parameters
        ----------
        value : object
        path : str
            Its name, for tensors and errors.

        Raises
        ------
        TypeError
            If it, or something in it, cannot be packed.
        ValueError
            If it is larger than what is unpacked again.
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
                f"{path} must have at most {_MAX_KEYS} keys that are no text, got {len(items)}. "
                "Use joblib.dump, whose files run code when they are loaded."
            )
        return [
            [self.pack(key, f"{path} key {i}"), self.pack(value, f"{path}.{key}")]
            for i, (key, value) in enumerate(items.items())
        ]

    def _keep(self, tensor, path):
        """Keep a tensor under a name that is free, and give that."""
        while path in self.tensors:
            path += "'"
        # A clone, since tensors of one file may not share memory.
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
                        f"Arrays of text of a fixed width may have {_MAX_TEXT} characters, but "
                        f"with {path}, of {array.size} texts of up to {packed['width']}, there are "
                        f"{self._n_characters}. Pass it as an array of dtype=object, or shorten "
                        "the longest text."
                    )
            return {**packed, "values": self.pack(array.ravel().tolist(), path)}
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        if str(array.dtype) not in _NUMBERS:
            raise _refusal(path, f"an array of dtype {array.dtype}")
        # In memory as it was: sums depend on the order in the last bit.
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
        """Name a callable, which `Unpacker` asks for by the parameter that it is."""
        parameter = [part for part in path.split(".") if not part.isdigit()][-1]
        name = dotted_name(value)
        if self._callables.setdefault(parameter, name) != name:
            raise TypeError(
                f"{path} is {name}, but another {parameter} is {self._callables[parameter]}, and "
                "load takes one of that name. Let both be the same function, or use joblib.dump, "
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
    """Whether a value can be packed without classes that are known."""
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
    """Puts values together.

    Parameters
    ----------
    known : dict of str to Known
    get_tensor : callable
        From names to tensors.
    callables : dict of str to callable
        The user's own, by the last part of their paths.

    Attributes
    ----------
    needed : set of str
        Those that were put in their places.
    """

    def __init__(self, known, get_tensor, callables=None):
        self.known = known
        self.get_tensor = get_tensor
        self.callables = callables or {}
        self.needed = set()
        self._used = set()
        self._n_characters = 0

    def unpack(self, packed, name=""):
        """Put a value together; `name` is that of the parameter or attribute that it is."""
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
        if sum(type(key) is not str for key in keys) > _MAX_KEYS:  # whose hashes can be made equal
            raise ValueError(f"a dict has over {_MAX_KEYS} keys that are no text")
        values = [value for _, value in packed["items"]]
        return {key: self.unpack(value, key) for key, value in zip(keys, values, strict=True)}

    def _unpack_scalar(self, packed, name):
        return self.unpack(packed["array"], name)[()]

    def _unpack_array(self, packed, name):
        array = self._unpack_tensor(packed, name).numpy()
        array = array.T if packed["order"] == "F" else array
        return np.flip(array, tuple(packed["flipped"]))

    def _unpack_tensor(self, packed, name):
        # Once each: a short file is not to ask for its tensors again and again.
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
            raise ValueError("an array of text holds what is none")
        self._n_characters += width * len(values)
        if self._n_characters > _MAX_TEXT:
            raise ValueError(f"its arrays have over {_MAX_TEXT} characters")
        return np.array(values, dtype=f"U{width}").reshape(packed["shape"])

    def _unpack_objects(self, packed, name):
        array = np.empty(len(packed["values"]), dtype=object)
        array[:] = self.unpack(packed["values"])
        return array.reshape(packed["shape"])

    def _unpack_sparse(self, packed, name):
        parts, cls = self.unpack(packed["parts"]), _SPARSE[packed["name"]]
        shape = tuple(packed["shape"])
        matrix = cls((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
        matrix.check_format(full_check=True)  # compiled code follows its indices
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
        raise ValueError(f"there is no type {kind!r}")
    return kind


class MissingCallable(Exception):
    """A callable of the user's own is needed to put a value together."""

    def __init__(self, name, dotted):
        super().__init__(name, dotted)
        self.name = name
        self.dotted = dotted
