"""Handwritten digits: strokes, ink, pieces, normalise, scribbles, extra, reader, evaluate."""
