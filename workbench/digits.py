"""Training a small classifier on real data: scikit-learn's bundled 1,797 images of handwritten digits, 8 by 8 pixels.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (1998), UCI Machine Learning Repository.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from tqdm.auto import tqdm

TRAINING_SAMPLES = 1437  # four fifths


@dataclass(frozen=True)
class Digits:
    """Pixels [n, 64] in 0..1, float32, and labels [n], split into a part to train on and a part to test on."""

    train_pixels: torch.Tensor
    train_labels: torch.Tensor
    test_pixels: torch.Tensor
    test_labels: torch.Tensor


@dataclass(frozen=True)
class Training:
    """The loss at every step, what the trained model says of the test part, and how often that is right."""

    losses: tuple[float, ...]
    predicted: torch.Tensor
    accuracy: float


def load(device: torch.device) -> Digits:
    """The digits, shuffled with a fixed seed. Raises ModuleNotFoundError, with advice, without scikit-learn."""
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'the digits come with scikit-learn, which is not installed; run: pip install "workbench[lab]"'
        ) from None
    data = load_digits()
    order = torch.randperm(len(data.target), generator=torch.Generator().manual_seed(0))
    pixels = torch.tensor(data.data / 16, dtype=torch.float32)[order].to(device)
    labels = torch.tensor(data.target, dtype=torch.int64)[order].to(device)
    n = TRAINING_SAMPLES
    return Digits(pixels[:n], labels[:n], pixels[n:], labels[n:])


def train(
    digits: Digits, loss_function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], name: str, steps: int = 300
) -> Training:
    """Train a perceptron with one hidden layer from a fixed seed, by gradient descent with momentum."""
    device = digits.train_pixels.device
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in tqdm(range(steps), desc=f"training with {name}", leave=False):
        batch = torch.randint(len(digits.train_labels), (256,), generator=generator).to(device)
        loss = loss_function(model(digits.train_pixels[batch]), digits.train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        predicted = model(digits.test_pixels).argmax(1)
    accuracy = (predicted == digits.test_labels).double().mean().item()
    return Training(tuple(losses), predicted, accuracy)
