"""A trained network answers: reading (an answer), onnx (for other programs), frozen (one that only answers)."""
