"""Pictures of hands and of none, varied as cameras vary them.

`compose` sets hands on other grounds, with their boxes, for the finder; `augment` varies crops, for the reader.

Read in this order: backdrops, figures, no_hands, cut_outs, camera, compose, augment.
"""
