"""Finder and reader learn from photos.

`photos` reads folders of them, `agree` finds the boxes that nobody drew, `fit_finder` and `fit_photos` train.

Read in this order: photos, agree, finder_loss, fit_finder, fit_photos.
"""
