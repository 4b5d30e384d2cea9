import sys
from pathlib import Path

# benchmarks are not installed; appended, so that an installed usmicro is not hidden by the source tree
sys.path.append(str(Path(__file__).parents[2]))
