"""Sources become tensors: pictures, images (labelled tensors and their split), mnist, sign_mnist, splits."""
