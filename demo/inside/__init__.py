"""The tab "Look inside": every idea of the two lessons as a figure, on one's own drawing."""

from demo.inside.routes import routes

__all__ = ["routes"]
