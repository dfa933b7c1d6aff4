"""How hard the laws are tried: `make check` looks at a few examples of each, `make test` at many."""

import os

from hypothesis import HealthCheck, settings

# Deadlines are off: durations belong to perf/. Generated clusters are large on purpose.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
settings.register_profile("quick", max_examples=10, **_COMMON)  # type: ignore[arg-type]  # one dict for both profiles
settings.register_profile("thorough", max_examples=120, **_COMMON)  # type: ignore[arg-type]  # as above
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "thorough"))
