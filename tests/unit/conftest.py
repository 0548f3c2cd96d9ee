"""Examples of the unit tests: few enough for ten seconds in all; no deadline each, as a busy machine breaks nothing."""

import os

from hypothesis import settings

settings.register_profile("unit", max_examples=25, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))  # `make bugs` has its own
