"""Sources become tensors.

A picture file becomes an upright picture; MNIST's files and Sign Language MNIST's tables become labelled images, read
once and then kept; labelled images are split in two, to learn from and to watch.

Read in this order: cache, picture_cost, pictures, images, mnist, sign_csv, sign_mnist, rendered, splits.
"""
