"""Write valid DICOM files for the tests, and read them."""

import warnings
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

from sklearn_cae.images._dicom import dicom_frames
from sklearn_cae.images._frames import Choices

SYNTAXES = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
#: An image of different values.
RAMP = np.arange(20, dtype=np.uint16).reshape(4, 5)
UPRIGHT = [1, 0, 0, 0, 1, 0]


def dataset(syntax=ExplicitVRLittleEndian, kind=CTImageStorage, **tags):
    """Return a dataset without pixels."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = kind
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = generate_uid()
    found.PatientID, found.PatientName, found.PatientBirthDate = "P1", "Doe^Jane", "19700101"
    for keyword, value in tags.items():
        setattr(found, keyword, value)
    return found


def with_pixels(pixels, *, bits=None, color=False, **tags):
    """Return a dataset with an array of frames or one frame, as numbers or colours."""
    found = dataset(**{"Modality": "DX", **tags})
    pixels = np.asarray(pixels)
    *frames, height, width = pixels.shape[:-1] if color else pixels.shape
    if frames:
        found.NumberOfFrames = frames[0]
    given = {
        "Rows": height,
        "Columns": width,
        "SamplesPerPixel": 3 if color else 1,
        "PhotometricInterpretation": "RGB" if color else "MONOCHROME2",
        "BitsAllocated": 8 * pixels.dtype.itemsize,
        **({"PlanarConfiguration": 0} if color else {}),
    }
    keyword = {"f4": "FloatPixelData", "f8": "DoubleFloatPixelData"}.get(pixels.dtype.str[1:])
    if keyword is None:
        given["BitsStored"] = bits or given["BitsAllocated"]
        given["HighBit"] = given["BitsStored"] - 1
        given["PixelRepresentation"] = int(pixels.dtype.kind == "i")
    for name, value in given.items():
        setattr(found, name, tags.get(name, value))
    order = ">" if found.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    setattr(found, keyword or "PixelData", tags.get("PixelData", data + b"\0" * (len(data) % 2)))
    if keyword is None:
        found["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return found


def save(found, path):
    """Write a dataset and return its path."""
    found.save_as(path, enforce_file_format=True)
    return path


def write(path, pixels, **tags):
    """Write an array as a DICOM file and return its path."""
    return save(with_pixels(pixels, **tags), path)


def sequence_item(**tags):
    """Return an item of a sequence."""
    found = Dataset()
    for keyword, value in tags.items():
        setattr(found, keyword, value)
    return found


def table(values, start=0, bits=16):
    """Return an item with a table of values."""
    found = sequence_item(LUTDescriptor=[len(values), start, bits])
    found.add_new("LUTData", "US", [int(value) for value in values])
    return found


def palette(red, green, blue, *, start=0, bits=16, order="<", packed=True):
    """Return the tags of a palette; colours of 8 bits are packed two to a word."""
    tags = {}
    for name, values in (("Red", red), ("Green", green), ("Blue", blue)):
        words = np.asarray(values, dtype=np.uint16)
        if bits == 8 and packed:
            data = words.astype(np.uint8).tobytes()
            words = np.frombuffer(data + b"\0" * (len(data) % 2), dtype="<u2")
        tags[f"{name}PaletteColorLookupTableDescriptor"] = [len(values) % 2**16, start, bits]
        tags[f"{name}PaletteColorLookupTableData"] = words.astype(f"{order}u2").tobytes()
    return tags


def enhanced(pixels, frames, shared=None, **tags):
    """Return a multi-frame dataset from {name of a functional group: tags} of each frame."""

    def groups(described):
        named = {f"{name}Sequence": [sequence_item(**own)] for name, own in described.items()}
        return sequence_item(**named)

    return with_pixels(
        pixels,
        kind=EnhancedCTImageStorage,
        **{"Modality": "CT", **tags},
        PerFrameFunctionalGroupsSequence=[groups(frame) for frame in frames],
        SharedFunctionalGroupsSequence=[groups(shared or {})],
    )


def read(path, **choices):
    """Return the frames; a warning is an error, since pydicom's are for nobody."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return list(dicom_frames(Path(path), Choices(**choices)))


def read_one(path, **choices):
    (frame,) = read(path, **choices)
    return frame


def shown(frame):
    """Return a frame as 0 (black) to 1 (white)."""
    low, high = frame.limits
    return np.clip((np.asarray(frame.pixels, dtype=np.float64) - low) / (high - low), 0, 1)
