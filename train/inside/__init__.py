"""Look inside any network of ours, for one picture.

Every map of every layer and what it sees, how channels add up, which features push the answer, what BatchNorm and
dropout do, and one step of learning. The network is not copied, but for the step of learning: hooks listen while it
computes.

Read in this order: fields, maps, channels, features, modes, pupil, contents, pack.
"""
