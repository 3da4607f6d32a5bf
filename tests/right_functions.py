"""Torch's own activations and losses, whose gradients are right: what no checker may call wrong."""

import torch
import torch.nn.functional as F

_generator = torch.Generator().manual_seed(0)

X = torch.randn(40, 6, generator=_generator)
Y = torch.randn(40, 6, generator=_generator)
CLASSES = torch.randint(6, (40,), generator=_generator)

ACTIVATIONS = (
    "relu", "gelu", "silu", "softplus", "elu", "selu", "celu", "mish", "sigmoid", "tanh", "logsigmoid", "hardtanh",
    "hardswish", "hardsigmoid", "leaky_relu", "softsign", "tanhshrink", "softshrink", "hardshrink", "relu6", "glu",
)  # fmt: skip

RIGHT = {name: (getattr(F, name), (X,)) for name in ACTIVATIONS}
RIGHT |= {name: (getattr(F, name), (X, Y)) for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")}
RIGHT |= {
    "softmax": (lambda x: x.softmax(1), (X,)),
    "log_softmax": (lambda x: x.log_softmax(1), (X,)),
    "layer_norm": (lambda x: F.layer_norm(x, (6,)), (X,)),
    "rms_norm": (lambda x: F.rms_norm(x, (6,)), (X,)),
    "normalize": (F.normalize, (X,)),
    "cosine_similarity": (F.cosine_similarity, (X, Y)),
    "pairwise_distance": (F.pairwise_distance, (X, Y)),
    "cross_entropy": (F.cross_entropy, (X, CLASSES)),
    "binary_cross_entropy_with_logits": (lambda x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid()), (X, Y)),
    "kl_div": (lambda x, y: F.kl_div(x.log_softmax(1), y.softmax(1), reduction="batchmean"), (X, Y)),
    "gaussian_nll_loss": (lambda x, y: F.gaussian_nll_loss(x, y, torch.ones_like(x)), (X, Y)),
    "poisson_nll_loss": (lambda x, y: F.poisson_nll_loss(x, y.exp()), (X, Y)),
    "hinge_embedding_loss": (lambda x: F.hinge_embedding_loss(x, torch.ones_like(x)), (X,)),
    "soft_margin_loss": (lambda x: F.soft_margin_loss(x, torch.ones_like(x)), (X,)),
    "triplet_margin_loss": (lambda x, y: F.triplet_margin_loss(x, y, x + y), (X, Y)),
}
