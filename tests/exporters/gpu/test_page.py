"""Rendering: isolation of collectors, and the forms of a page."""

import gzip

from exporters.gpu.collection import Collection
from exporters.gpu.collectors import up
from exporters.gpu.page import render

NOTHING = Collection((), (), None, 1.0, 0.5)


def broken(collection):
    yield from ()
    raise RuntimeError("bug")


def test_a_broken_collector_costs_its_own_metrics_only():
    page = render("nvml", NOTHING, (("broken", broken), ("up", up.collect))).text.decode()
    assert 'gpu_scrape_collector_success{collector="broken"} 0.0' in page
    assert 'gpu_scrape_collector_success{collector="up"} 1.0' in page
    assert "gpu_scrape_driver_up 1.0" in page


def test_before_the_first_collection_the_page_claims_nothing():
    page = render("simulated", None, (("up", up.collect),))
    samples = [line for line in page.text.decode().splitlines() if not line.startswith("#")]
    assert samples == ['gpu_scrape_source_info{source="simulated"} 1.0']


def test_compressed_pages_are_the_same_pages():
    page = render("nvml", NOTHING, (("up", up.collect),))
    assert gzip.decompress(page.text_gzip) == page.text
    assert gzip.decompress(page.openmetrics_gzip) == page.openmetrics
    assert page.openmetrics.endswith(b"# EOF\n")
