"""Adam for a CPU: torch's optimiser, its step in one pass over all parameters, in C++ (train/fast/native)."""

import ctypes

import torch

from train.fast.library import call


class FusedAdam(torch.optim.Adam):
    """Adam, or AdamW with `decoupled_weight_decay`, on float32 parameters on a CPU.

    State and settings are torch's own, so a run may go on with one as it began with the other. What differs is the
    time: small networks spend more of it in torch's bookkeeping for each parameter than in the arithmetic. All groups
    share one learning rate, betas and eps, and keep their weight decay; `library()` must not be None.
    """

    _known: tuple | None = None  # the state last seen, and what the compiled step wants to know of it

    def step(self, closure=None) -> None:
        """Adjust all parameters that have a gradient. Closures are not taken."""
        weights = [weight for group in self.param_groups for weight in group["params"]]
        grads = [weight.grad for weight in weights]
        if any(grad is None for grad in grads):
            super().step()
            return
        if self._known is None or self._known[0] is not self.state:  # another one was loaded
            self._look_up(weights)
        _, steps, *fixed, pointers = self._known
        grads = [_laid_out_as(weight, grad) for weight, grad in zip(weights, grads, strict=True)]
        torch._foreach_add_(steps, 1)
        group, done = self.param_groups[0], steps[0].item()
        beta1, beta2 = group["betas"]
        real = group["lr"], beta1, beta2, group["eps"], 1 - beta1**done, 1 - beta2**done
        call(
            "adam",
            pointers(*[weight.data_ptr() for weight in weights]),
            pointers(*[grad.data_ptr() for grad in grads]),
            *fixed,
            len(weights),
            int(group["decoupled_weight_decay"]),
            *map(float, real),
            torch.get_num_threads(),
        )

    step.hooked = True  # else torch wraps it for its profiler, which costs more than the step itself

    def _look_up(self, weights: list[torch.Tensor]) -> None:
        for weight in weights:
            if not self.state[weight]:
                means, squares = torch.zeros_like(weight), torch.zeros_like(weight)
                self.state[weight] = {"step": torch.zeros(()), "exp_avg": means, "exp_avg_sq": squares}
        states = [self.state[weight] for weight in weights]
        pointers, sizes, reals = (kind * len(weights) for kind in (ctypes.c_void_p, ctypes.c_int64, ctypes.c_float))
        self._known = (
            self.state,
            [state["step"] for state in states],
            *(pointers(*[state[key].data_ptr() for state in states]) for key in ("exp_avg", "exp_avg_sq")),
            sizes(*[weight.numel() for weight in weights]),
            reals(*[group["weight_decay"] for group in self.param_groups for _ in group["params"]]),
            pointers,
        )


def _laid_out_as(parameter: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """The gradient with its numbers in the parameter's order, as autograd nearly always leaves it."""
    same = grad.stride() == parameter.stride()
    return grad if same else torch.empty_like(parameter, requires_grad=False).copy_(grad)
