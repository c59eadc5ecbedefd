"""The one type in which every metric is declared.

A metric is written down once, here in the catalogue; exporters, rules, boards and tests interpolate the
object. A misspelt metric is an AttributeError at import, a misspelt label a ValueError, both before any
YAML exists. Standard library only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from exporters.catalogue.labels import ENGINE, INSTANCE, JOB, TARGET_LABELS

MetricType = Literal["gauge", "counter", "histogram", "info"]

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_NOT_BASE_UNITS = (
    "_ms",
    "_us",
    "_ns",
    "_mib",
    "_kib",
    "_gib",
    "_mb",
    "_gb",
    "_percent",
    "_percentage",
    "_mhz",
    "_milliwatts",
    "_millijoules",
    "_minutes",
    "_hours",
)
TARGET_SIDE = (*TARGET_LABELS, JOB, INSTANCE, ENGINE)
"""Labels that a scrape adds to whatever an exporter attaches."""
_MATCHERS = {"eq": "=", "ne": "!=", "re": "=~", "nre": "!~"}


def selectors(name: str, known: tuple[str, ...], matchers: Mapping[str, str]) -> tuple[str, ...]:
    """PromQL matchers from keywords: `label="x"`, `label__ne`, `label__re`, `label__nre`.

    Raises:
        ValueError: If a label is not among the known ones of the series called name.
    """
    found = []
    for key, value in matchers.items():
        label, _, operator = key.partition("__")
        if label not in known:
            raise ValueError(f"{name!r} has no label {label!r}; it has {known}")
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        found.append(f'{label}{_MATCHERS[operator or "eq"]}"{quoted}"')
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family: what it is called, what it means, which labels it carries.

    Raises:
        ValueError: On a name that is not snake case or not in base units, a counter without `_total`,
            a help text that is not a sentence, or a label that no metric may have.
    """

    name: str
    """As exposed, with the base unit and, for counters, `_total`."""
    type: MetricType
    """`info` is a gauge that is always 1 and carries descriptions as labels."""
    help: str
    """One sentence that ends with a full stop; says what an absent sample means where that is not obvious."""
    labels: tuple[str, ...] = ()
    """The labels that the exporter itself attaches; target labels are the scraper's."""
    source: str = ""
    """Where the number comes from: the NVML call, or the convention that defines it."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram in the metric's unit, without +Inf."""
    selectors: tuple[str, ...] = ()
    """Label matchers, as `where` leaves them."""

    def __post_init__(self) -> None:
        """Refuse a declaration that breaks the naming rules."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"metric {self.name!r}: not snake case")
        stem = self.name.removesuffix("_total")
        if stem.endswith(_NOT_BASE_UNITS):
            raise ValueError(f"metric {self.name!r}: not in a base unit")
        if (self.type == "counter") != self.name.endswith("_total"):
            raise ValueError(f"metric {self.name!r}: counters, and only counters, end in _total")
        if (self.type == "info") != self.name.endswith("_info"):
            raise ValueError(f"metric {self.name!r}: info metrics, and only these, end in _info")
        if (self.type == "histogram") != bool(self.buckets):
            raise ValueError(f"metric {self.name!r}: histograms, and only histograms, have buckets")
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError(f"metric {self.name!r}: buckets must rise")
        if not re.fullmatch(r"[A-Z][^\n]*\.", self.help):
            raise ValueError(f"metric {self.name!r}: help must be one sentence that ends with a full stop")
        if "type" in self.labels or len(set(self.labels)) != len(self.labels):
            raise ValueError(f"metric {self.name!r}: label 'type', or a label twice")

    def __str__(self) -> str:
        """The name with its selectors, ready for PromQL."""
        return self.name + (f"{{{', '.join(self.selectors)}}}" if self.selectors else "")

    def where(self, **matchers: str) -> "Metric":
        """This metric with label matchers, as `selectors` takes them, on its own or the target's labels."""
        known = (*self.labels, *TARGET_SIDE)
        return replace(self, selectors=self.selectors + selectors(self.name, known, matchers))

    def over(self, window: str) -> str:
        """This metric as a range vector: `metric{...}[window]`."""
        return f"{self}[{window}]"

    @property
    def bucket(self) -> str:
        """Name of the bucket series of a histogram."""
        return f"{self.name}_bucket"

    @property
    def count(self) -> str:
        """Name of the count series of a histogram."""
        return f"{self.name}_count"

    @property
    def family(self) -> str:
        """The name that prometheus-client wants, which adds `_total` and `_info` by itself."""
        return self.name.removesuffix("_total").removesuffix("_info")

    @property
    def exposed(self) -> tuple[str, ...]:
        """Every sample name that a scrape can show for this family."""
        if self.type == "histogram":
            return (self.bucket, self.count, f"{self.name}_sum")
        return (self.name,)
