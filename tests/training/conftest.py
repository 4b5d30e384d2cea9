import sys
from pathlib import Path

# training is not installed; appended, so that an installed usmicro is not hidden by the source tree
sys.path.append(str(Path(__file__).parents[2]))
