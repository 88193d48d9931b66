"""The training tab: choose, watch, steer, compare, try and keep; and the `/train` endpoint that streams.

Read in this order: settings (what may be asked), data, store, pictures, runner (one training), slots (and the line),
fitting (into the host's time), work (a training thread), zero (a GPU that is lent), follow, both (one's own drawing in
two networks), choices, workshop (what trains here), endpoints.
"""

from demo.training.endpoints import api, close, routes

__all__ = ["api", "close", "routes"]
