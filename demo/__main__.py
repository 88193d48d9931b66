"""Start the demo: python -m demo [--port 7860]"""

import sys

from demo.app import main

sys.exit(main())
