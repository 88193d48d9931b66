"""Convolutional networks that read handwritten digits and signed letters, from data to answer.

The files follow the data, and each imports only from those before it; so do the wings, which are folders.

Read in this order: task, data, lesson, fast, learn, answer, inside, commands, digits, hands, predict, evaluate,
export, render, benchmark, options, progress, photo_head, __main__.
"""

import os
import signal
import sys

# Otherwise ONNX Runtime reports its use to its makers, and keeps an identifier of the device in the user's cache
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # a command line, whose torch takes seconds to load: until `commands.run`, Ctrl-C ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
