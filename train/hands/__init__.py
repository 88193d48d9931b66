"""Hand signs, from any photo to a letter.

A finder looks for the hand, a reader looks at the crop around it. `scenes` makes the pictures that both learn from,
`training` trains them; `lesson_reader` reads photos with the lesson's network.

Read in this order: boxes, crop, palms, networks, palm_body, eyes, finder, finder_network, places, reader,
lesson_reader, scenes, training, measure, evaluate.
"""
