"""LMAM, low-rank matching attention, on padded batches: Shou, Liu, Cao, Meng, Dong, IEEE Trans. Affective Computing
16(2), 2025. Written from the equations, in the form in which text is the memory and every modality queries it, with
the factored weight W = U V^T; behind one transformer encoder per modality, trained with cross-entropy."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from layers import MASKED
from losses import cross_entropy
from transformer import TransformerEncoder

ANCHOR = "text"


class LowRankMatching(nn.Module):
    def __init__(self, dim, rank, deviation):
        super().__init__()
        factor_deviation = deviation**0.5 * rank**-0.25
        self.u = nn.Parameter(torch.randn(dim, rank) * factor_deviation)
        self.v = nn.Parameter(torch.randn(dim, rank) * factor_deviation)
        self.c = nn.Parameter(torch.zeros(rank))

    def forward(self, streams, mask):
        """H = GELU(sum over modalities of attention, times memory) + memory; [batch, time, dim]."""
        memory = streams[ANCHOR]
        queries = torch.cat(list(streams.values()), dim=1)  # [batch, modalities * time, dim]
        scores = torch.tanh(torch.matmul(queries @ self.v + self.c, (memory @ self.u).transpose(1, 2)))
        scores = scores.masked_fill((mask == 0).unsqueeze(1), MASKED)
        attention = torch.softmax(scores, dim=-1).unflatten(1, (len(streams), -1)).sum(1)
        return (F.gelu(torch.matmul(attention, memory)) + memory) * mask.unsqueeze(-1)


class Lmam(nn.Module):
    def __init__(self, settings):
        super().__init__()
        options = settings["fusion"]["options"]
        supported = {
            "mode": "anchorMemory",
            "anchor": ANCHOR,
            "bias": "rank",
            "augment": "none",
            "valueSpace": "model",
            "scoreActivation": "tanh",
            "reduce": "sum",
            "residual": True,
            "outputProjection": None,
            "attentionDropout": 0,
            "causal": False,
        }
        for name, value in supported.items():
            if options[name] != value:
                raise ValueError(f"the reference of LMAM has {name} {value!r} only, got {options[name]!r}")
        dim = settings["encoder"]["options"]["dim"]
        self.transformer = TransformerEncoder(settings)
        self.lmam = LowRankMatching(dim, options["rank"], options["initStddev"])
        self.classifier = nn.Linear(dim, len(settings["classes"]))
        weights = settings["classWeights"]
        self.register_buffer("class_weights", None if weights is None else torch.tensor(weights), persistent=False)

    def logits(self, batch):
        return self.classifier(self.lmam(self.transformer(batch), batch.mask))

    def probabilities(self, batch):
        return torch.softmax(self.logits(batch), dim=-1)

    def loss(self, batch):
        task = cross_entropy(self.logits(batch), batch.labels, batch.mask, self.class_weights)
        return {"task": task, "total": task}
