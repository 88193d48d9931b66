"""The tab "Look inside": every idea of the two lessons as a figure, on one's own drawing.

`networks` are those that can be looked into, `asked` is a question from the page, checked, and `look` its answer.

Read in this order: networks, asked, look, questions, endpoints.
"""

from demo.inside.endpoints import routes

__all__ = ["routes"]
