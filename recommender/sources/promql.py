"""The queries: what cAdvisor counts about containers, as PromQL. Pure.

Counters are fetched as they are, together with the time of each reading, and never as `rate()`: a rate is extrapolated to its window, is
empty for a window with one reading, and takes a step back of a counter for a restart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

CPU: Final = "container_cpu_usage_seconds_total"
MEMORY: Final = "container_memory_working_set_bytes"
THROTTLED: Final = "container_cpu_cfs_throttled_periods_total"
PERIODS: Final = "container_cpu_cfs_periods_total"
STARTED: Final = "container_start_time_seconds"
_CONTAINERS: Final = ('container!=""', 'container!="POD"', 'pod!=""', 'cpu=~"(total)?"')
"""Neither cgroups of whole pods nor pause containers; of kubelets that still split CPU by core, the total."""
_BY: Final = "namespace, pod, container"
_MATCHER: Final = re.compile(r'[a-zA-Z_][a-zA-Z0-9_]*\s*(=|!=|=~|!~)\s*"(?:[^"\\\n]|\\.)*"')


class SelectorError(ValueError):
    """The extra selector is no list of label matchers."""


def check_selector(text: str) -> str:
    """The matchers, such as `cluster="a",env!~"test|dev"`, as they were given.

    Raises:
        SelectorError: anything else.
    """
    rest = text.strip()
    while rest:
        found = _MATCHER.match(rest)
        after = rest[found.end() :].lstrip() if found else ""
        if found is None or (after and not after.startswith(",")):
            raise SelectorError(
                f'selector {text!r}: write label matchers such as cluster="a",env!~"test|dev", without braces'
            )
        rest = after[1:].lstrip()
    return text.strip().rstrip(",")


@dataclass(frozen=True, slots=True)
class Queries:
    """The six queries of one scope.

    Counters are kept apart by the cgroup (`id`), which is another for each start of a container, and taken together over whoever else
    scraped the same (replicas of Prometheus, two jobs): of a counter and of its time the largest belong to the same reading.

    Args:
        extra: further label matchers.
        namespaces: only these; all when empty.
    """

    extra: str = ""
    namespaces: tuple[str, ...] = ()

    @property
    def matchers(self) -> str:
        """The selector of containers, without a metric's name."""
        # Names of namespaces are letters, digits and hyphens: nothing that a regular expression takes for more.
        where = f'namespace=~"{"|".join(self.namespaces)}"' if self.namespaces else 'namespace!=""'
        return ",".join([*_CONTAINERS, where, *([self.extra] if self.extra else [])])

    @property
    def cpu(self) -> str:
        """Core-seconds, cumulated."""
        return self._latest(CPU)

    @property
    def measured_at(self) -> str:
        """When `cpu` was measured, Unix seconds."""
        return f"max by ({_BY}, id) (timestamp({CPU}{{{self.matchers}}}))"

    def memory(self, step_s: int) -> str:
        """The highest working set of each step, bytes. A millisecond less, because up to version 2 a range includes both its ends."""
        return f"max by ({_BY}) (max_over_time({MEMORY}{{{self.matchers}}}[{step_s * 1000 - 1}ms]))"

    @property
    def throttled(self) -> str:
        """Throttled CFS periods, cumulated."""
        return self._latest(THROTTLED)

    @property
    def periods(self) -> str:
        """CFS periods, cumulated."""
        return self._latest(PERIODS)

    @property
    def started(self) -> str:
        """When the container was started, Unix seconds."""
        return self._latest(STARTED)

    def _latest(self, metric: str) -> str:
        return f"max by ({_BY}, id) ({metric}{{{self.matchers}}})"
