"""What tests of sweeps share stands beside them, so that this folder must be on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
