"""Adam for a CPU: torch's optimiser, its step in one pass over all parameters, in C++ (train/native)."""

import ctypes

import torch

from train.compiled import library


class FusedAdam(torch.optim.Adam):
    """Adam, or AdamW with `decoupled_weight_decay`, on float32 parameters on a CPU.

    State and settings are torch's own, so a run may go on with one as it began with the other. What differs is the
    time: small networks spend more of it in torch's bookkeeping for each parameter than in the arithmetic. All groups
    share one learning rate, betas and eps; `library()` must not be None.
    """

    @torch.no_grad()
    def step(self, closure=None) -> None:
        """Adjust all parameters that have a gradient. Closures are not taken."""
        given = [
            (group, weight) for group in self.param_groups for weight in group["params"] if weight.grad is not None
        ]
        if not given:
            return
        weights = [weight for _, weight in given]
        grads = [_laid_out_as(weight, weight.grad) for weight in weights]
        states = [self._state_of(weight) for weight in weights]
        torch._foreach_add_([state["step"] for state in states], 1)
        means, squares = ([state[key] for state in states] for key in ("exp_avg", "exp_avg_sq"))
        count = len(given)
        pointers = [
            (ctypes.c_void_p * count)(*[tensor.data_ptr() for tensor in tensors])
            for tensors in (weights, grads, means, squares)
        ]
        sizes = (ctypes.c_int64 * count)(*[weight.numel() for weight in weights])
        decays = (ctypes.c_float * count)(*[group["weight_decay"] for group, _ in given])
        group, steps = given[0][0], float(states[0]["step"])
        beta1, beta2 = group["betas"]
        whole = map(ctypes.c_int64, (count, group["decoupled_weight_decay"]))
        real = map(ctypes.c_float, (group["lr"], beta1, beta2, group["eps"], 1 - beta1**steps, 1 - beta2**steps))
        library().adam(*pointers, sizes, decays, *whole, *real, ctypes.c_int64(torch.get_num_threads()))

    def _state_of(self, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        return state


def _laid_out_as(parameter: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """The gradient with its numbers in the parameter's order, as autograd nearly always leaves it."""
    return grad if grad.stride() == parameter.stride() else torch.empty_like(parameter).copy_(grad)
