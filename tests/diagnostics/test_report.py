"""The report is one self-contained, well-formed page that holds what it was given."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from symdsm.diagnostics import plots
from symdsm.diagnostics.page import number, page
from symdsm.diagnostics.report import Evidence, ImagePosterior, image_report

VOID = {"meta", "path", "rect", "image", "use", "br"}


class Reader(HTMLParser):
    """Collects the text, the tags and every address; fails on a tag that is closed out of turn."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.addresses, self.text = [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in {"src", "href", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in {"src", "href", "xlink:href"}]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rng = np.random.default_rng(0)
    truth = rng.gamma(2.0, 3.0, (8, 8))
    observed = truth * rng.gamma(4.0, 0.25, (8, 8))
    observed[:, 4:] = np.nan
    draws = truth + rng.normal(size=(4, 50, 8, 8))
    levels = np.exp(rng.uniform(np.log(0.1), np.log(7.0), (4, 300)))
    steps = np.arange(0, 1000, 10)
    path = image_report(
        tmp_path_factory.mktemp("report") / "report.html",
        ImagePosterior(draws, truth, observed),
        title="Digits <through> speckle",
        verdict="do not trust",
        reasons=["Draws are not typical: 1.03 where data give 0.69."],
        evidence=Evidence(levels, "noise level sigma", steps, {"loss": np.exp(-steps / 200.0)}),
        facts={"mse ratio": 0.2612},
        table=pd.DataFrame({"value": [1.0031], "judgement": ["trust"]}, index=["R-hat"]),
        listings={"speckle.py": "def score(y, x, *, L): ..."},
    )
    return path.read_text(encoding="utf-8")


def test_it_is_well_formed_and_fetches_nothing(report):
    reader = Reader(report)
    assert all(address.startswith(("#", "data:")) for address in reader.addresses)
    assert not {"script", "link", "iframe"} & set(reader.tags)
    assert "url(http" not in report and "@import" not in report


def test_it_holds_every_part(report):
    reader = Reader(report)
    for part in (
        "Digits <through> speckle",
        "Do not trust",
        "Draws are not typical: 1.03 where data give 0.69.",
        "mse ratio 0.261",
        "Truth, observation, posterior.",
        "Eight draws.",
        "Trace of the level.",
        "Loss curve.",
        "R-hat 1.00 trust",
        "def score(y, x, *, L): ...",
    ):
        assert part in reader.words, part
    assert reader.tags.count("svg") == 4


def test_the_same_report_twice_is_the_same_file(tmp_path):
    def once():
        figure = plots.loss_curve(np.arange(5), {"loss": np.arange(5.0)})
        return page(title="a", verdict="trust", pictures=[]) + plots.svg(figure)

    assert once() == once()


def test_a_long_table_folds():
    table = pd.DataFrame({"ess": np.arange(40.0)})
    assert "All 40 rows" in page(title="a", verdict="look", table=table)
    assert "<details>" not in page(title="a", verdict="look", table=table[:5])


def test_a_counting_index_is_left_out_and_booleans_are_words():
    table = pd.DataFrame({"check": ["R-hat"], "value": [1.0031], "ok": [True]})
    assert "check value ok R-hat 1.00 yes" in Reader(page(title="a", verdict="look", table=table)).words
    named = table.set_index("check")
    assert "check value ok R-hat 1.00 yes" in Reader(page(title="a", verdict="look", table=named)).words


def test_an_unknown_verdict_is_refused():
    with pytest.raises(KeyError):
        page(title="a", verdict="splendid")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.26123, "0.261"),
        (1.00312, "1.00"),
        (812.24, "812"),
        (12345.6, "12346"),
        (4, "4"),
        (0.0, "0"),
        (-0.05, "-0.05"),
        (1.5e-7, "1.50e-07"),
        (2.5e8, "2.50e+08"),
        (float("nan"), "–"),
        (float("inf"), "∞"),
        (-float("inf"), "−∞"),
        (True, "True"),
        ("trust", "trust"),
        (np.float32(0.5), "0.5"),
    ],
)
def test_numbers_are_shown_as_readers_want_them(value, shown):
    assert number(value) == shown


def test_what_was_not_seen_is_hatched_and_each_bar_has_the_scale_of_its_pictures():
    seen, half = np.full((2, 2), 3.0), np.array([[np.nan, 1.0], [np.nan, 5.0]])
    figure = plots.images({"a": half, "b": seen}, spread={"sd": np.array([[0.0, 0.2], [0.1, 0.1]])})
    pictures = [axis.images[0] for axis in figure.axes if axis.images]
    assert [picture.get_clim() for picture in pictures] == [(1.0, 5.0), (1.0, 5.0), (0.0, 0.2)]
    assert pictures[0].get_array().mask.tolist() == [[True, False], [True, False]]
    figure.draw_without_rendering()
    grey, blue = (axis.get_xticks() for axis in figure.axes if not axis.images)
    assert np.ptp(grey) >= 2 and 0.1 <= np.ptp(blue) <= 0.2


def test_the_running_median_ignores_spikes():
    values = np.ones(400)
    values[25::50] = 1e6
    assert np.all(plots._running_median(values) == 1.0)


def test_levels_that_span_decades_get_a_log_axis():
    wide = plots.level_trace(np.array([[0.01, 1.0], [5.0, 0.1]])).axes[0]
    narrow = plots.level_trace(np.array([[1.0, 2.0]])).axes[0]
    assert (wide.get_yscale(), narrow.get_yscale()) == ("log", "linear")


def test_a_long_path_of_the_level_shows_its_beginning_and_its_end():
    levels = np.random.default_rng(0).uniform(size=(5, 1000))
    shown = [axis.lines[0].get_xydata() for axis in plots.level_trace(levels).axes]
    assert len(shown) == 8  # four chains, two parts each
    for chain, (first, last) in enumerate(zip(shown[::2], shown[1::2], strict=True)):
        assert first[0, 0] == 0 and last[-1, 0] == 999
        for part in (first, last):
            np.testing.assert_array_equal(part[:, 1], levels[chain, part[:, 0].astype(int)])
    whole = plots.level_trace(levels[:2, :300]).axes
    assert [len(axis.lines[0].get_xdata()) for axis in whole] == [300, 300]


def test_pictures_leave_the_state_of_matplotlib_alone(report):
    import matplotlib

    assert matplotlib.rcParams["svg.hashsalt"] is None
    assert not re.search(r"dc:date", report)
