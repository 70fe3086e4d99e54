"""One pre-norm transformer encoder per modality over padded dialogues (Vaswani et al. 2017; norms as in Xiong et al.
2020), with position and speaker embeddings. Parameters carry merclab's names."""

import torch.nn as nn
import torch.nn.functional as F

from layers import attend, position_table

LONGEST_DIALOGUE = 512


class TransformerLayer(nn.Module):
    def __init__(self, dim, num_heads, feed_forward_dim, dropout):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.attention_norm = nn.LayerNorm(dim)
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.feed_forward_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.ModuleList([nn.Linear(dim, feed_forward_dim), nn.Linear(feed_forward_dim, dim)])

    def forward(self, x, mask):
        normed = self.attention_norm(x)
        attended = attend(
            self.q(normed), self.k(normed), self.v(normed), mask, self.num_heads, self.dropout, self.training
        )
        x = x + F.dropout(self.out(attended), self.dropout, self.training)
        widen, narrow = self.feed_forward
        inner = F.dropout(F.gelu(widen(self.feed_forward_norm(x))), self.dropout, self.training)
        return x + F.dropout(narrow(inner), self.dropout, self.training)


class ModalityEncoder(nn.Module):
    """Layers are named by their number, from 0."""

    def __init__(self, in_dim, options):
        super().__init__()
        dim = options["dim"]
        self.dropout = options["dropout"]
        self.num_layers = options["numLayers"]
        self.input = nn.Linear(in_dim, dim)
        for i in range(self.num_layers):
            layer = TransformerLayer(dim, options["numHeads"], options["feedForwardFactor"] * dim, self.dropout)
            self.add_module(str(i), layer)
        self.norm = nn.LayerNorm(dim)

    def forward(self, features, added, mask):
        x = F.dropout(self.input(features) + added, self.dropout, self.training)
        for i in range(self.num_layers):
            x = self.get_submodule(str(i))(x, mask)
        return self.norm(x)


class TransformerEncoder(nn.Module):
    def __init__(self, settings):
        super().__init__()
        options = settings["encoder"]["options"]
        padding = settings["numSpeakers"]
        self.padding = padding
        self.speakers = nn.Embedding(padding + 1, options["dim"], padding_idx=padding).weight
        self.names = [modality["name"] for modality in settings["modalities"]]
        for modality in settings["modalities"]:
            self.add_module(modality["name"], ModalityEncoder(modality["dim"], options))
        self.register_buffer("positions", position_table(LONGEST_DIALOGUE, options["dim"]), persistent=False)

    def forward(self, batch):
        """One [batch, time, dim] stream per modality."""
        speakers = F.embedding(batch.speakers, self.speakers, padding_idx=self.padding)
        added = self.positions[: batch.mask.shape[1]] + speakers
        return {name: self.get_submodule(name)(batch.features[name], added, batch.mask) for name in self.names}
