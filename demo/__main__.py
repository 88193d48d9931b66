"""Start the demo: python -m demo [--port 7860]"""

from demo.app import run

run()
