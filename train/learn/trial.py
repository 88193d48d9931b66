"""Whether an accelerator is right in bfloat16 and channels_last: one batch, before the first step, beside float32.

Both are quicker on a GPU, and a fault in either, in a driver or in a kernel that torch chooses, raises no error: the
network only learns worse than it should, or nothing.
"""

import copy
import math
import warnings
from dataclasses import replace

import torch
from torch import nn

from train.data.images import Images
from train.fast.machine import Plan
from train.learn.run import Run, lay_out_as_parameters
from train.learn.step import loss_of, precision, to_input

# How far the gradient of a batch may be from float32's on contiguous memory, as a share of its length. Right bfloat16
# is up to 0.06 off in the lesson's digit network and 0.14 in recipe best's (new weights of 6 seeds, batches of 32 to
# 256 and to 128, on a CPU). A gradient of zeros, one of other feature maps, or one twice as long is off by at least 1.
TOLERANCE = 0.5


def needs_trial(plan: Plan) -> bool:
    """Whether the plan's arithmetic is an accelerator's: that of CPUs is compared with torch's in tests."""
    return plan.device != "cpu"


def check_plan(run: Run, images: Images) -> None:
    """Have the run compute in bfloat16 and channels_last only where that gives the right gradient; else warn.

    The images lie on the run's device. Workers agree: what one of them cannot do, none does.
    """
    wanted = run.plan
    if wanted.precision == "float32" and not wanted.channels_last:
        return
    few = images[: run.recipe.batch_size]
    right = gradient(run, few, replace(wanted, precision="float32", channels_last=False))
    faults = []
    for plan in _candidates(wanted):
        wrong = _wrong(run, few, plan, right)
        anywhere = run.workers.total(torch.tensor(float(bool(wrong))), plan.device).item()
        if not anywhere:
            break
        faults.append(f"{_named(plan)} {wrong or 'is wrong on another worker'}")
    else:
        plan = replace(wanted, precision="float32", channels_last=False)
    if plan != wanted:
        warnings.warn(f"{'; '.join(faults)}: training goes on in {_named(plan)}, more slowly", stacklevel=2)
        _go_over_to(run, plan)


def _candidates(wanted: Plan) -> list[Plan]:
    """The plan and plainer ones, quickest first, but for the plainest: the others are compared with that one."""
    precisions = dict.fromkeys((wanted.precision, "float32"))
    layouts = dict.fromkeys((wanted.channels_last, False))
    plans = [replace(wanted, precision=kind, channels_last=layout) for layout in layouts for kind in precisions]
    plans.sort(key=lambda plan: (plan.precision == "float32", not plan.channels_last))
    return plans[:1] + [plan for plan in plans[1:] if plan.precision != "float32" or plan.channels_last]


def _named(plan: Plan) -> str:
    return f"{plan.precision} and {'channels_last' if plan.channels_last else 'contiguous memory'}"


def _wrong(run: Run, images: Images, plan: Plan, right: torch.Tensor) -> str:
    try:
        off = float((gradient(run, images, plan) - right).norm() / right.norm().clamp(min=1e-30))
    except RuntimeError as error:
        return f"fails on {plan.device} ({str(error).strip().splitlines()[0]})"
    return "" if off <= TOLERANCE else f"is wrong on {plan.device} (gradient {_share(off)} off)"  # so that NaN is wrong


def _share(off: float) -> str:
    return f"{off:.0%}" if math.isfinite(off) else "infinitely"


def gradient(run: Run, images: Images, plan: Plan) -> torch.Tensor:
    """The loss's gradient with respect to all parameters, as one float64 vector; the run itself stays as it is.

    Dropout is left out: it would drop other values in another layout.
    """
    model = copy.deepcopy(run.model).to(memory_format=layout(plan)).train()
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
    inputs = to_input(images, run.task.mean, run.task.std, channels_last=plan.channels_last)
    with torch.enable_grad(), precision(plan):
        scores = model(inputs)
    loss_of(scores.float(), images.labels, run.recipe.label_smoothing, outliers=True).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    return torch.cat([grad.detach().cpu().double().flatten() for grad in grads])


def layout(plan: Plan) -> torch.memory_format:
    """How the plan has weights lie in memory."""
    return torch.channels_last if plan.channels_last else torch.contiguous_format


def _go_over_to(run: Run, plan: Plan) -> None:
    """Change the run's plan, and how its weights, and what the optimiser keeps of each, lie in memory."""
    run.plan = plan
    for model in filter(None, (run.model, run.average)):
        model.to(memory_format=layout(plan))
    lay_out_as_parameters(run.optimizer)
