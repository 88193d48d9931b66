"""Hand signs: crop, networks, palm_body, finder, no_hands, scenes, augment, photos, the two fits, readers, evaluate."""
