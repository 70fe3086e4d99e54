"""Losses over padded batches; `mask` is 1 on real utterances and takes padding out of every sum."""

import torch.nn.functional as F


def cross_entropy(logits, labels, mask, class_weights):
    """Mean over real utterances, weighted by class: sum(m w[y] nll) / sum(m w[y])."""
    log_probabilities = F.log_softmax(logits, dim=-1)
    nll = -log_probabilities.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    weights = mask if class_weights is None else mask * class_weights[labels]
    return (weights * nll).sum() / weights.sum()


def kl_divergence(teacher, student, mask):
    """KL(teacher || student) from logits, masked after the divergence, so that padding gives no 0 log 0."""
    log_teacher = F.log_softmax(teacher, dim=-1)
    log_student = F.log_softmax(student, dim=-1)
    per_utterance = F.kl_div(log_student, log_teacher, reduction="none", log_target=True).sum(-1)
    return (per_utterance * mask).sum() / mask.sum()
