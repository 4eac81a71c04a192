"""Reads and writes safetensors files as dictionaries of numpy arrays."""

import json
import struct

import numpy

DTYPES = {
    "F64": numpy.float64,
    "F32": numpy.float32,
    "I64": numpy.int64,
    "I32": numpy.int32,
    "U8": numpy.uint8,
}
NAMES = {numpy.dtype(v): k for k, v in DTYPES.items()}


def write(path, tensors, metadata=None):
    header = {"__metadata__": metadata} if metadata else {}
    offset = 0
    arrays = []
    for name, array in tensors.items():
        array = numpy.asarray(array, order="C")
        end = offset + array.nbytes
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, end],
        }
        arrays.append(array)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as to:
        to.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            to.write(array.tobytes())


def read(path):
    with open(path, "rb") as source:
        (length,) = struct.unpack("<Q", source.read(8))
        header = json.loads(source.read(length))
        body = source.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, at in header.items():
        begin, end = at["data_offsets"]
        flat = numpy.frombuffer(body[begin:end], DTYPES[at["dtype"]])
        tensors[name] = flat.reshape(at["shape"])
    return tensors
