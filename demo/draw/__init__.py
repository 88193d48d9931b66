"""The Draw tab: a pad that is read while one draws, and the `/digit` endpoint.

Read in this order: endpoints.
"""

from demo.draw.endpoints import api, routes, warm

__all__ = ["api", "routes", "warm"]
