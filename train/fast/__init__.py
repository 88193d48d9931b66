"""The same training, faster: machine (a plan for it), library (C++ compiled here), functions, layers, adam."""
