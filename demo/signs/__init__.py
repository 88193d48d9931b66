"""The hand-sign tab: a photo or the camera in, a letter out, and the `/sign` endpoint.

Read in this order: readers, endpoints.
"""

from demo.signs.endpoints import api, routes

__all__ = ["api", "routes"]
