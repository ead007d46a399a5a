"""A minute of what Tests/soak does for hours."""

import pytest

from soak.run import broker_for_soak, soak


@pytest.mark.martlet_only
@pytest.mark.timeout(300)
def test_bad_clients_cost_the_good_ones_nothing_and_leave_nothing(tmp_path, keep):
    broker = keep(broker_for_soak(tmp_path / "broker")).start()
    assert soak(broker, 30, warm_up=20, threads=16, pairs=2, slack=64 << 20, rest=8) == []
