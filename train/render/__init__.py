"""The rendered hand: a skeleton with a skin, poses of the letters, and pictures of them to learn from.

Read `skeleton`, `poses`, `shapes`, `scene`, `vary`, `__main__`. Drawing needs VTK: `pip install -e ".[render]"`.
"""
