"""The training tab: choose, watch, steer, compare, try and keep; and the `/train` endpoint that streams.

Read in this order: zero (a GPU that may be lent), settings (what may be asked), runner (one training). Where torch is:
data, pictures, fitting (into the host's time), work (a training thread), parts, child (the process that trains). In the
server, which has no torch: store, retell, trainers (the processes), lent, slots (and the line), follow, both (one's own
drawing in two networks), choices, workshop (what trains here), endpoints.
"""
