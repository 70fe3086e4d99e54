"""Reads what the driver wrote for a row, and pads batches as the official code of SDT does."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.utils.rnn import pad_sequence


@dataclass
class Batch:
    """A padded batch. `mask` is 1 on real utterances; padded labels are 0, padded speakers the table's last row."""

    features: dict  # per modality [batch, time, width]
    speakers: torch.Tensor  # [batch, time] int64
    labels: torch.Tensor  # [batch, time] int64
    mask: torch.Tensor  # [batch, time] float32

    @property
    def utterances(self):
        return int(self.mask.sum().item())


class RowFolder:
    """Settings of a row and its dialogues, each a view of one array per kind."""

    def __init__(self, folder, settings_file):
        folder = Path(folder)
        self.settings = json.loads((folder / settings_file).read_text(encoding="utf-8"))
        self.lengths = self.settings["lengths"]
        self.num_speakers = self.settings["numSpeakers"]
        self.features = {
            modality["name"]: self._per_dialogue(folder / f"{modality['name']}.f32", torch.float32, modality["dim"])
            for modality in self.settings["modalities"]
        }
        self.speakers = self._per_dialogue(folder / "speakers.i32", torch.int32)
        self.labels = self._per_dialogue(folder / "labels.i32", torch.int32)

    def _per_dialogue(self, file, dtype, width=None):
        values = torch.frombuffer(bytearray(file.read_bytes()), dtype=dtype)
        if dtype == torch.int32:
            values = values.long()
        if width is not None:
            values = values.view(-1, width)
        return torch.split(values, self.lengths)

    def batch(self, index):
        places = self.settings["batches"][index]

        def padded(parts, value=0):
            return pad_sequence([parts[place] for place in places], batch_first=True, padding_value=value)

        return Batch(
            features={name: padded(parts) for name, parts in self.features.items()},
            speakers=padded(self.speakers, self.num_speakers),
            labels=padded(self.labels),
            mask=pad_sequence([torch.ones(self.lengths[place]) for place in places], batch_first=True),
        )
