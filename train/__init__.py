"""Convolutional networks that read handwritten digits and signed letters, from data to answer.

The files follow the data; read them in this order: task (what is learned), images, digits and hands
(a picture becomes a network's input), data (sources become tensors), augment, models, fit (training as
a generator of events), checkpoint, predict, evaluate.
"""
