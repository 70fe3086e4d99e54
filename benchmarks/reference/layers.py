"""Layers that both reference models use."""

import math

import torch
import torch.nn.functional as F

MASKED = -1e10


def position_table(length, dim):
    """Interleaved sines and cosines, [length, dim] (Vaswani et al. 2017, section 3.5)."""
    positions = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rates = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10000.0) / dim))
    table = torch.zeros(length, dim)
    table[:, 0::2] = torch.sin(positions * rates)
    table[:, 1::2] = torch.cos(positions * rates)
    return table


def attend(query, key, value, mask, num_heads, dropout, training):
    """Multi-head attention on projected [batch, time, dim]; `mask` [batch, time] tells which keys are real."""
    batch, time, dim = query.shape
    head_dim = dim // num_heads

    def heads(x):
        return x.view(batch, -1, num_heads, head_dim).transpose(1, 2)

    scores = torch.matmul(heads(query / math.sqrt(head_dim)), heads(key).transpose(2, 3))
    scores = scores.masked_fill((mask == 0).view(batch, 1, 1, time), MASKED)
    weights = F.dropout(torch.softmax(scores, dim=-1), dropout, training)
    return torch.matmul(weights, heads(value)).transpose(1, 2).reshape(batch, time, dim)
