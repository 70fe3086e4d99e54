"""SDT on padded batches: H. Ma et al., "A Transformer-Based Model With Self-Distillation for Multimodal Emotion
Recognition in Conversations", IEEE TMM 26 (2024). Written from the equations; parameters carry the official names.

Three modalities, a transformer for each ordered pair (nine), a gate on each, one map back to the model's width per
modality, a gate over modalities, and a classifier for the fused vector and for each modality.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from layers import attend, position_table
from losses import cross_entropy, kl_divergence

MODALITIES = {"text": "t", "audio": "a", "visual": "v"}
INPUT_NAMES = {"text": "textf_input", "audio": "acouf_input", "visual": "visuf_input"}
LONGEST_DIALOGUE = 512


class SelfAttention(nn.Module):
    def __init__(self, dim, num_heads, dropout):
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.linear_k = nn.Linear(dim, dim)
        self.linear_v = nn.Linear(dim, dim)
        self.linear_q = nn.Linear(dim, dim)
        self.linear = nn.Linear(dim, dim)

    def forward(self, query, memory, mask):
        attended = attend(
            self.linear_q(query),
            self.linear_k(memory),
            self.linear_v(memory),
            mask,
            self.num_heads,
            self.dropout,
            self.training,
        )
        return self.linear(attended)


class FeedForward(nn.Module):
    """Pre-norm, as wide as the model, with its own residual."""

    def __init__(self, dim, dropout):
        super().__init__()
        self.dropout = dropout
        self.w_1 = nn.Linear(dim, dim)
        self.w_2 = nn.Linear(dim, dim)
        self.layer_norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        inner = F.dropout(F.gelu(self.w_1(self.layer_norm(x)), approximate="tanh"), self.dropout, self.training)
        return x + F.dropout(self.w_2(inner), self.dropout, self.training)


class TransformerLayer(nn.Module):
    def __init__(self, dim, num_heads, dropout):
        super().__init__()
        self.dropout = dropout
        self.self_attn = SelfAttention(dim, num_heads, dropout)
        self.feed_forward = FeedForward(dim, dropout)
        self.layer_norm = nn.LayerNorm(dim, eps=1e-6)  # in the official weights, never used in the first layer

    def forward(self, query, memory, mask):
        attended = self.self_attn(query, memory, mask)
        return self.feed_forward(query + F.dropout(attended, self.dropout, self.training))


class Transformer(nn.Module):
    """The target gives queries and the residual stream, the source gives keys and values."""

    def __init__(self, dim, num_heads, dropout):
        super().__init__()
        self.dropout = dropout
        self.transformer_inter = nn.ModuleList([TransformerLayer(dim, num_heads, dropout)])

    def forward(self, source, target, added, mask):
        memory = F.dropout(source + added, self.dropout, self.training)
        query = memory if source is target else F.dropout(target + added, self.dropout, self.training)
        return self.transformer_inter[0](query, memory, mask)


class Gate(nn.Module):
    """sigmoid(G y) y. Where G is the frozen identity (MELD) the product is left out, as on the other side."""

    def __init__(self, dim, learned):
        super().__init__()
        self.learned = learned
        self.fc = nn.Linear(dim, dim, bias=False)
        if not learned:
            nn.init.eye_(self.fc.weight).requires_grad_(False)

    def forward(self, x):
        return torch.sigmoid(self.fc(x) if self.learned else x) * x


class ModalityGate(nn.Module):
    """Softmax over modalities, for each feature on its own."""

    def __init__(self, dim):
        super().__init__()
        self.fc = nn.Linear(dim, dim, bias=False)

    def forward(self, streams):
        stacked = torch.stack(streams, dim=-2)  # [batch, time, modalities, dim]
        return (torch.softmax(self.fc(stacked), dim=-2) * stacked).sum(-2)


class Sdt(nn.Module):
    def __init__(self, settings):
        super().__init__()
        encoder = settings["encoder"]["options"]
        objective = settings["objective"]["options"]
        dim, num_heads, dropout = encoder["dim"], encoder["numHeads"], encoder["dropout"]
        classes = len(settings["classes"])
        self.student_dropout = objective["dropout"]
        self.temperature = objective["temperature"]
        self.speaker_embeddings = nn.Embedding(settings["numSpeakers"] + 1, dim, padding_idx=settings["numSpeakers"])
        for modality in settings["modalities"]:
            self.add_module(INPUT_NAMES[modality["name"]], nn.Conv1d(modality["dim"], dim, 1, bias=False))
        for path in self.paths():
            self.add_module(path, Transformer(dim, num_heads, dropout))
        for path in self.paths():
            self.add_module(f"{path}_gate", Gate(dim, encoder["unimodalGate"] == "learned"))
        for short in MODALITIES.values():
            self.add_module(f"features_reduce_{short}", nn.Linear(3 * dim, dim))
        self.last_gate = ModalityGate(dim)
        for short in MODALITIES.values():
            # The linear map has index 2 in the official weights: ReLU and dropout come before it.
            self.add_module(f"{short}_output_layer", nn.ModuleDict({"2": nn.Linear(dim, classes)}))
        self.all_output_layer = nn.Linear(dim, classes)
        self.register_buffer("positions", position_table(LONGEST_DIALOGUE, dim), persistent=False)
        weights = settings["classWeights"]
        self.register_buffer("class_weights", None if weights is None else torch.tensor(weights), persistent=False)

    @staticmethod
    def paths():
        """<source>_<target>, each target's own modality first."""
        shorts = list(MODALITIES.values())
        return [
            f"{source}_{target}"
            for target in shorts
            for source in [target, *(short for short in shorts if short != target)]
        ]

    def encode(self, batch):
        """One [batch, time, dim] stream per modality, by short name."""
        time = batch.mask.shape[1]
        added = self.positions[:time] + self.speaker_embeddings(batch.speakers)
        projected = {
            short: getattr(self, INPUT_NAMES[name])(batch.features[name].transpose(1, 2)).transpose(1, 2)
            for name, short in MODALITIES.items()
        }
        gated = {}
        for path in self.paths():
            source, target = path.split("_")
            encoded = getattr(self, path)(projected[source], projected[target], added, batch.mask)
            gated.setdefault(target, []).append(getattr(self, f"{path}_gate")(encoded))
        return {
            short: getattr(self, f"features_reduce_{short}")(torch.cat(parts, dim=-1)) for short, parts in gated.items()
        }

    def probabilities(self, batch):
        streams = self.encode(batch)
        return torch.softmax(self.all_output_layer(self.last_gate(list(streams.values()))), dim=-1)

    def loss(self, batch):
        """The seven terms by name, and their sum as `total`."""
        streams = self.encode(batch)
        fused = self.all_output_layer(self.last_gate(list(streams.values())))
        terms = {"task": cross_entropy(fused, batch.labels, batch.mask, self.class_weights)}
        for name, short in MODALITIES.items():
            dropped = F.dropout(torch.relu(streams[short]), self.student_dropout, self.training)
            student = getattr(self, f"{short}_output_layer")["2"](dropped)
            terms[f"hard.{name}"] = cross_entropy(student, batch.labels, batch.mask, self.class_weights)
            terms[f"soft.{name}"] = kl_divergence(fused / self.temperature, student / self.temperature, batch.mask)
        return {**terms, "total": sum(terms.values())}
