"""The same training, faster on this machine.

The plan says which device, how many threads and which precision; on a CPU, neighbouring layers are
computed by C++ that is compiled here when it is first wanted.

Read in this order: machine, library, functions, layers.
"""
