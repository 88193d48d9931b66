"""Handwritten digits, from ink or pen movements to a number.

Ink is found and parted into digits, each redrawn as MNIST draws them, the one way in training and in answers; beside
MNIST the network learns from `extra` pen digits, and from scribbles what is no digit.

Read in this order: strokes, ink, pieces, parts, normalise, scribbles, extra, reader, evaluate.
"""
