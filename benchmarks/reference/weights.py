"""Loads float32 weights from a safetensors file: header length, JSON header, raw little-endian data."""

import json
import struct

import torch


def load_safetensors(path):
    """Tensors by name, on one buffer. https://github.com/huggingface/safetensors (format)"""
    with open(path, "rb") as file:
        (header_bytes,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_bytes))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{path}: tensor {name} is {entry['dtype']}, expected F32")
        start, end = entry["data_offsets"]
        values = torch.frombuffer(data, dtype=torch.float32, count=(end - start) // 4, offset=start)
        tensors[name] = values.view(entry["shape"])
    return tensors
