"""Rendering: isolation of collectors, and the forms of a page."""

import gzip

import pytest

from exporters.gpu.collection import Collection
from exporters.gpu.collectors import up
from exporters.gpu.page import FORMS, REMEMBERED_PAGES, render

NOTHING = Collection((), (), None, 1.0, 0.5)


def draw():
    return render("nvml", NOTHING, (("up", up.collect),))


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
    page = draw()
    assert gzip.decompress(page.text_gzip) == page.text
    assert gzip.decompress(page.openmetrics_gzip) == page.openmetrics
    assert page.openmetrics.endswith(b"# EOF\n")


def made(page):
    return {name for name in FORMS if name in vars(page)}


def test_the_next_page_is_made_in_the_form_that_was_asked_for():
    before, after = draw(), draw()
    before.form("openmetrics_gzip")
    after.prepare(before)
    assert made(after) == {"openmetrics", "openmetrics_gzip"}


def of(ended_at):
    return render("nvml", Collection((), (), None, ended_at, 0.5), (("up", up.collect),), clock=lambda: 0.0)


@pytest.mark.parametrize("form", FORMS)
def test_a_page_that_takes_over_what_did_not_change_is_the_page_drawn_anew(form):
    before, after = of(1.0), of(2.0)
    before.form(form)
    after.prepare(before)
    assert after.form(form) == of(2.0).form(form) != of(1.0).form(form)


def test_a_form_that_nobody_asks_for_any_more_is_made_no_longer():
    page = draw()
    page.form("text")
    for _ in range(REMEMBERED_PAGES):
        before, page = page, draw()
        page.prepare(before)
        assert made(page) == {"text"}
    last = draw()
    last.prepare(page)
    assert made(last) == set()
