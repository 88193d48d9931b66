"""A trained network answers.

A reading is a label, how sure it is, and what it rests on. `frozen` is a network that only answers, without torch and
three times as quickly; `parts` says what it is asked, and `onnx` and `graphs` made the files that it runs.

Read in this order: reading, parts, onnx, frozen, graphs.
"""
