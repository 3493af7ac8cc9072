"""What perfect generators score, by the program of the table of metric identities and by formula."""

import metric_identities as identities
import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_perfect_neighbours_have_density_1_and_coverage_1_less_2_to_the_minus_k():
    found = identities.neighbour_scores(500, 4)
    for name, room in {"density_5": 0.1, "coverage_5": 0.01, "coverage_3": 0.02}.items():
        assert found[name]["found"] == pytest.approx(found[name]["formula"], abs=room)
    assert [found[name]["formula"] for name in found] == [1.0, 0.96875, 0.875]


def test_the_bias_of_fid_falls_as_1_over_n_and_kid_has_none():
    found = identities.gaussian_scores(500, 4000, 4)
    assert found["fid_bias_times_n"] == {"found": pytest.approx(1.0, abs=0.1), "formula": 1.0}
    assert found["fid_of_shift"] == {"found": pytest.approx(4.0, abs=0.3), "formula": 4.0}
    assert found["kid"]["found"] == pytest.approx(0.0, abs=0.01)


def test_a_perfect_sampler_of_1000_modes_has_a_divergence():
    found = identities.mode_scores(4)
    assert found["kl_26000"] == {"found": pytest.approx(0.0192, abs=0.001), "formula": pytest.approx(999 / 52_000)}
    assert found["modes_2500"] == {"found": pytest.approx(918, abs=12), "formula": pytest.approx(918.02, abs=0.01)}
    assert found["modes_26000"]["found"] == pytest.approx(1000, abs=0.5)
