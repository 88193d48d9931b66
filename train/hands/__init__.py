"""Hand signs, from any photo to a letter.

A finder looks for the hand, the crop around it goes to the photo network. `fit_finder` and `fit_photos` train the two,
on photos that `photos` reads, `scenes` and `augment` vary; `lesson_reader` is the lesson's network on the same photos.

Read in this order: boxes, crop, networks, palm_body, eyes, finder, finder_network, places, backdrops, figures,
no_hands, cut_outs, camera, scenes, augment, photos, agree, finder_loss, fit_finder, fit_photos, reader,
lesson_reader, measure, evaluate.
"""
