"""From one collection to metric families: a file per subject, all of them in `COLLECTORS` or `OPTIONAL_COLLECTORS`."""

from collections.abc import Collection

from exporters.gpu.collectors import (
    activity,
    attribution,
    bar1,
    clocks,
    ecc,
    fabric,
    fans,
    health,
    link_errors,
    media,
    memory,
    mig,
    nvlink,
    pcie,
    pids,
    power,
    processes,
    row_histogram,
    rows,
    thermals,
    throttling,
    up,
    utilization,
    xid,
)
from exporters.gpu.page import Subject

COLLECTORS: tuple[Subject, ...] = (
    ("up", up.collect),
    ("health", health.collect),
    ("xid", xid.collect),
    ("memory", memory.collect),
    ("utilization", utilization.collect),
    ("thermals", thermals.collect),
    ("power", power.collect),
    ("clocks", clocks.collect),
    ("throttling", throttling.collect),
    ("ecc", ecc.collect),
    ("rows", rows.collect),
    ("nvlink", nvlink.collect),
    ("pcie", pcie.collect),
    ("activity", activity.collect),
    ("processes", processes.collect),
    ("attribution", attribution.collect),
    ("mig", mig.collect),
    ("fabric", fabric.collect),
)
"""On every page, in this order."""

OPTIONAL_COLLECTORS: tuple[Subject, ...] = (
    ("media", media.collect),
    ("fans", fans.collect),
    ("bar1", bar1.collect),
    ("row_histogram", row_histogram.collect),
    ("link_errors", link_errors.collect),
    ("pids", pids.collect),
)
"""On the page where the user wants them: of little use to inference, or of many series."""


def chosen(extras: Collection[str] = ()) -> tuple[Subject, ...]:
    """The collectors of a page with these optional ones."""
    return (*COLLECTORS, *(one for one in OPTIONAL_COLLECTORS if one[0] in extras))
