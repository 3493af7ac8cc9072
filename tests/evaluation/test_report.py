"""The tables of `ganzoo evaluate`."""

from ganzoo.evaluation.report import tables

ONE = {
    "source": "fakes.npz",
    "protocol": {"name": "a-v1", "split": "train", "num_fake": 50_000, "quantise": True, "resize": "r", "seed": 0},
    "extractor": {"name": "vgg16", "weights_sha256": "0123456789abcdef0123"},
    "reference": {"name": "mnist", "count": 60_000, "sha256": "1"},
    "scores": {"fid": 1.25, "kid": -0.5},
    "intervals": {"fid": {"low": 1.0, "high": 1.5, "how": "delta method"}},
    "floor": {"fid": 0.5, "kid": 0.0},
}
OTHER = {
    **ONE,
    "protocol": {**ONE["protocol"], "name": "b-v1", "quantise": False},
    "extractor": {"name": "none"},
    "reference": {"path": "statistics.npz", "holds": "statistics"},
    "scores": {"fid": 2.0, "recall": 0.25},
    "intervals": {},
    "floor": {},
}


def test_one_protocol_has_a_row_a_score_with_its_floor_and_interval():
    (title, columns, rows), (_, _, facts) = tables([ONE])
    assert title == "fakes.npz: a-v1 against mnist" and columns == ("score", "value", "floor", "95 % interval")
    assert rows == [("fid", "1.25", "0.5", "1 to 1.5 (delta method)"), ("kid", "-0.5", "0", "")]
    assert dict(facts) == {
        "reference": "mnist, train split",
        "real samples": "60,000",
        "fakes": "50,000, rounded to uint8",
        "extractor": "vgg16, weights 0123456789abcdef",
        "resize": "r",
        "seed": "0",
    }


def test_several_protocols_stand_side_by_side():
    (_, columns, rows), (_, _, facts) = tables([ONE, OTHER])
    assert columns == ("score", "a-v1", "b-v1")
    assert rows == [("fid", "1.25 (0.5)", "2"), ("kid", "-0.5 (0)", ""), ("recall", "", "0.25")]
    assert ("real samples", "60,000", "statistics") in facts and ("extractor", facts[3][1], "none") in facts
    assert ("fakes", "50,000, rounded to uint8", "50,000, not rounded") in facts


def test_reals_that_no_metric_looks_at_are_said_to_be_so():
    _, (_, _, facts) = tables([{**ONE, "reference": {"name": "mnist"}}])
    assert ("real samples", "not looked at") in facts


def test_a_classifier_is_shown_with_its_accuracy():
    known = {"name": "classifier", "weights_sha256": "0" * 64, "heldout_accuracy": 0.98765, "data": "mnist"}
    _, (_, _, facts) = tables([{**ONE, "extractor": known}])
    assert ("classifier", "98.77% of held-out mnist") in facts
