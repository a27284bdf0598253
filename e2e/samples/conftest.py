import pathlib
import sys

E2E = pathlib.Path(__file__).resolve().parent.parent
for folder in ("lib", "guides", "python", "action-provider"):
    sys.path.append(str(E2E / folder))
