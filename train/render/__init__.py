"""A rendered hand that signs, to see and to learn from.

A skeleton with a skin is bent into the poses of the letters, and drawn with many skins, lights and backgrounds. Drawing
needs VTK: `pip install -e ".[render]"`.

Read in this order: skeleton, poses, capsules, surface, scene, vary, film, tracks, chart, small, evaluate, __main__.
"""
