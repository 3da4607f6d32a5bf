"""The twelve examples of the documents that this project grew out of, as printed, and their mistakes to be audited.

Each example is written down anew and used as its document uses it. Where it runs, what it gives is held against the
truth.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from wrong_gradients import values, with_backward

Pairs = list[tuple[torch.Tensor, torch.Tensor]]
"""What an example gives, and what is true."""


@dataclass(frozen=True)
class Example:
    """``run`` raises what the example raises, and otherwise returns what it gives, and the truth.

    It is None for an example that is no program; ``fault`` then says why, and for a faulty one where the mistake is.
    ``here`` names the losses and patterns that do it right.
    """

    name: str
    run: Callable[[], Pairs] | None
    fault: str
    here: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """``kind`` is "cannot run", "crashes", "silently wrong" or "right"; ``told`` is what was raised, or measured."""

    kind: str
    told: str


def outcome(example: Example) -> Outcome:
    """What the example does when it is run now."""
    if example.run is None:
        return Outcome("cannot run", "")
    torch.manual_seed(0)
    try:
        pairs = example.run()
    except RuntimeError as error:
        first_sentence = str(error).splitlines()[0].split(". ")[0].rstrip(".")
        return Outcome("crashes", f"{type(error).__name__}: {first_sentence}")
    wrong = max(float((found - true).norm() / true.norm()) for found, true in pairs)
    if wrong <= 1e-6:
        return Outcome("right", "")
    return Outcome("silently wrong", f"the gradient is off by {100 * wrong:.0f} % of its norm")


# -- the functions, with their gradients as printed


def squared_difference(x, y):
    return (x - y) ** 2


def squared_distance(x, y):
    return ((x - y) ** 2).sum()


def differenced(u, x, y):
    """Forward differences over 1e-6, whatever the dtype is, each from two values of the whole loss."""
    gradient = torch.zeros_like(x)
    for i in range(x.numel()):
        moved = x.clone()
        moved[i] += 1e-6
        gradient[i] = (squared_distance(moved, y) - squared_distance(x, y)) / 1e-6
    return u * gradient


def twice_sine(x):
    return 2 * x.sin()


def squares_and_product(x, y):
    return x * x + y * y, x * y


def positive_sum(x):
    return x.clamp_min(0).sum()


def softened(x):
    return x.sigmoid() * (1 + x.exp()).rsqrt()


def decay(x, y):
    return x * torch.exp(-y)


def sine_squared(x):
    return x.sin() ** 2


class SquaresAndProduct(torch.autograd.Function):
    """Two outputs, with a right gradient."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return squares_and_product(x, y)

    @staticmethod
    def backward(ctx, u, v):
        x, y = ctx.saved_tensors
        return 2 * x * u + y * v, 2 * y * u + x * v


SquaredDifference = with_backward(
    "SquaredDifference", squared_difference, lambda u, x, y: 2 * (x - y), lambda u, x, y: None
)
Differenced = with_backward("Differenced", squared_distance, differenced, lambda u, x, y: -2 * u * (x - y))
TwiceSine = with_backward("TwiceSine", twice_sine, lambda u, x: u * 2 * x.cos())
Exponential = with_backward("Exponential", torch.exp, lambda u, x: u * x.exp())
PositiveSum = with_backward("PositiveSum", positive_sum, lambda u, x: u)
Softened = with_backward(
    "Softened", softened, lambda u, x: u * (1 - x.sigmoid() ** 2) * 0.5 * (x.exp() + 1) ** -1.5 * (1 + 3 * x.exp())
)
Decay = with_backward("Decay", decay, lambda u, x, y: u * torch.exp(-y), lambda u, x, y: -u * x * torch.exp(-y))
SineSquared = with_backward("SineSquared", sine_squared, lambda u, x: u * 2 * x.sin() * x.sin().cos())


class OneAfterTheOther(torch.autograd.Function):
    """The two outputs, whose backward goes backward through one and then through the other."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.inputs = [x.detach().requires_grad_(), y.detach().requires_grad_()]
        with torch.enable_grad():
            ctx.outputs = SquaresAndProduct.apply(*ctx.inputs)
        return tuple(output.detach() for output in ctx.outputs)

    @staticmethod
    def backward(ctx, *upstream):
        through = zip(ctx.outputs, upstream, strict=True)
        gradients = [torch.autograd.grad(output, ctx.inputs, u) for output, u in through]
        return tuple(sum(of_input) for of_input in zip(*gradients, strict=True))


def rounding_penalty(x, target):
    """The printed loss: a number, to which a vector is added."""
    return F.l1_loss(x, target) + 0.5 * (x - x.round()).abs()


WEIGHT = torch.tensor([0.1, 0.9, 0.5], dtype=torch.float64)


def weights_by_class(logits, target):
    return F.cross_entropy(logits, target, weight=WEIGHT.to(logits))


def weights_by_target(logits, target):
    return F.cross_entropy(logits, target, weight=WEIGHT.to(logits)[target])


# -- their use as printed


def weighted_cross_entropy() -> Pairs:
    logits, target = torch.randn(10, 3), torch.randint(3, (10,))
    loss = weights_by_target(logits, target)
    loss.backward()
    return [(loss, weights_by_class(logits, target))]


def rounding_proxy() -> Pairs:
    x, target = torch.randn(10, requires_grad=True), torch.randn(10)
    rounding_penalty(x, target).backward()
    return [(x.grad, x.grad)]


def one_output_after_the_other() -> Pairs:
    x, y = (torch.randn(3, requires_grad=True) for _ in range(2))
    squares, product = SquaresAndProduct.apply(x, y)
    squares.backward(torch.ones(3))
    product.backward(torch.ones(3))
    return [(x.grad, 2 * x + y)]


def backward_of_the_sum(function, reference, *sizes: int) -> Callable[[], Pairs]:
    def run() -> Pairs:
        inputs = [torch.randn(n, requires_grad=True) for n in sizes]
        function(*inputs).sum().backward()
        return list(zip([x.grad for x in inputs], torch.autograd.grad(reference(*inputs).sum(), inputs), strict=True))

    return run


TWELVE = {
    "000, 1": Example(
        "squared distance by a kernel, element by element",
        None,
        "C++ and Python in one piece, and addresses in place of arrays; its gradient ignores the upstream gradient, "
        "forgets the second input, and is tied to autograd by nothing",
        ("squared_error",),
    ),
    "000, 2": Example(
        "squared distance, summed in shared memory with one atomic addition a block",
        None,
        "as the first, and the reduction itself is left out",
        ("squared_distance", "squared_distance, deterministic"),
    ),
    "000, 3": Example(
        "a loss whose gradient is taken by differences",
        None,
        "the loss is left out; forward differences over 1e-6 in float32",
        ("adaptive_robust", "adaptive_robust, by differences"),
    ),
    "001, 1": Example(
        "cross entropy with weights of classes",
        weighted_cross_entropy,
        "weights picked by target are one for each sample, and are handed over as one for each class: silently wrong "
        "where there are as many samples as classes; and its logits require no gradient, so that backward would raise",
        ("cross_entropy",),
    ),
    "001, 2": Example(
        "2 sin x as a calculation that autograd does not see",
        backward_of_the_sum(TwiceSine.apply, twice_sine, 10),
        "",
        ("gaussian_integral",),
    ),
    "001, 3": Example(
        "a stand-in for rounding in a loss",
        rounding_proxy,
        "a vector where the loss should be one number; that rounding has the gradient 0 goes unsaid",
        ("straight_through_round", "soft_round", "rounding_penalty"),
    ),
    "002, 1": Example(
        "eˣ, one input and one output",
        backward_of_the_sum(Exponential.apply, torch.exp, 3),
        "",
        ("exponential",),
    ),
    "002, 2": Example(
        "x² + y² and x · y, two inputs and two outputs",
        one_output_after_the_other,
        "the function is right; a second backward goes through a graph that the first has freed",
        ("two_outputs",),
    ),
    "002, 3": Example(
        "the sum of the positive part, under no_grad",
        backward_of_the_sum(PositiveSum.apply, positive_sum, 5),
        "the gradient by a vector is one number, and the mask of the positive elements is missing",
        ("positive_part",),
    ),
    "003, 1": Example(
        "the activation σ(x) · (1 + eˣ)^-½",
        backward_of_the_sum(Softened.apply, softened, 10),
        "the formula in backward is not the derivative",
        ("activation_kernel", "activation_torch", "activation_vjp"),
    ),
    "003, 2": Example(
        "x · e^(-y), two inputs",
        backward_of_the_sum(Decay.apply, decay, 5, 5),
        "",
        ("decay_kernel", "decay_torch", "decay_vjp"),
    ),
    "003, 3": Example(
        "sin² x, with an intermediate result saved",
        backward_of_the_sum(SineSquared.apply, sine_squared, 7),
        "saves sin x and takes its cosine: cos(sin x) for cos x",
        ("sine_squared_kernel", "sine_squared_torch", "sine_squared_vjp"),
    ),
}
"""The twelve, by document and number."""


# -- the mistakes, as functions to be audited


@dataclass(frozen=True)
class Mistake:
    """The mistake of the example ``of``, in the form in which it occurs; ``words`` are what the audit must say."""

    of: str
    function: Callable
    reference: Callable
    inputs: tuple[torch.Tensor, ...]
    words: tuple[str, ...]


X, Y = values(50), values(50).flip(0) + 0.25
LOGITS, TARGET = values(3, 3), torch.tensor([2, 0, 2])

MISTAKES = {
    "the upstream gradient and the second input forgotten": Mistake(
        "000, 1",
        SquaredDifference.apply,
        squared_difference,
        (X, Y),
        ("the upstream gradient is ignored", "it is zero everywhere"),
    ),
    "forward differences over 1e-6 in float32": Mistake(
        "000, 3",
        Differenced.apply,
        squared_distance,
        (X, Y),
        (
            "gradient by input 0, float64, against torch: the last digits are lost in 50 of 50 elements",
            "gradient by input 0, float32, against torch: 50 of 50 elements are wrong",
        ),
    ),
    "a weight for each sample handed over as one for each class": Mistake(
        "001, 1",
        weights_by_target,
        weights_by_class,
        (LOGITS, TARGET),
        ("value, float64 and float32, against torch: ",),
    ),
    "a vector where the loss should be one number": Mistake(
        "001, 3",
        rounding_penalty,
        lambda x, target: rounding_penalty(x, target).mean(),
        (X.sign() + 0.1 * X, Y),  # away from the kinks at integers and halves
        ("its shape is (50,) and should be (): is a sum or a mean missing?",),
    ),
    "a second backward through one graph": Mistake(
        "002, 2",
        OneAfterTheOther.apply,
        squares_and_product,
        (X, Y),
        ("the backward raises RuntimeError", "through the graph a second time", "retain_graph=True"),
    ),
    "a number for the gradient of a vector": Mistake(
        "002, 3",
        PositiveSum.apply,
        positive_sum,
        (X[:5],),
        ("the backward raises RuntimeError", "got [] but expected shape compatible with [5]"),
    ),
    "a formula that is not the derivative": Mistake(
        "003, 1",
        Softened.apply,
        softened,
        (X,),
        ("50 of 50 elements are wrong", "along a random direction"),
    ),
    "the cosine of the saved sine": Mistake(
        "003, 3",
        SineSquared.apply,
        sine_squared,
        (X,),
        ("50 of 50 elements are wrong", "along a random direction"),
    ),
}
