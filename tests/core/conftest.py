"""The core's tests stand beside their helpers, so that this folder must be on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
