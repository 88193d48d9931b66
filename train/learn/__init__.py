"""A network learns.

`networks` are what learns and `run` is one training of one of them; `step` makes a step of gradient descent and `fit`
all of them, as a generator of events; `checkpoint` keeps the result in a file, `finish` ends a run.

Read in this order: networks, layer_table, augment, randomness, workers, run, recording, step, trial, stuck, fit,
calibrate, metadata, checkpoint, finish.
"""
