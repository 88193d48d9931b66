"""Handwritten digits, from ink or pen movements to a number.

Ink is found and divided into digits, and each is redrawn as MNIST would have it, the same way in training and in
answers. Besides MNIST the network learns from `extra` pen digits, and from scribbles what is not a digit.

Read in this order: strokes, ink, pieces, parts, normalise, scribbles, extra, reader, evaluate.
"""
