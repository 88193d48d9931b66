"""The training tab: choose, watch, steer, compare, try and keep; and the `/train` endpoint that streams.

The server loads no torch: a training runs in a process of its own, and what that process does is in `trainer`.
`runner` is one training as the page knows it, `trainers` are the processes, `slots` who may train and who waits.

Read in this order: zero, settings, runner, reading, trainer, store, retell, trainers, lent, slots, follow, both,
choices, workshop, endpoints.
"""
