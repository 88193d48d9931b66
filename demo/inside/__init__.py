"""The tab "Look inside": every idea of the two lessons as a figure, on one's own drawing.

Read in this order: networks (which can be looked into), asked (a question from the page, checked), look (what it is
answered), questions, endpoints.
"""

from demo.inside.endpoints import routes

__all__ = ["routes"]
