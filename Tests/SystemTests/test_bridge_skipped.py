"""What an upstream will not have is skipped, and reported with its reason and time span."""

import json
import time

import pytest

from harness.bridges import martlet_bridge

pytestmark = pytest.mark.martlet_only


def reports(client, wanted):
    """The reports until so many messages are accounted for. They come at most every ten seconds."""
    found = []
    while sum(report["messages"] for report in found) < wanted:
        found.append(json.loads(client.receive_where(lambda message: message.topic.endswith("cache/lost"), timeout=30).text))
    assert sum(report["messages"] for report in found) == wanted
    return found


@pytest.mark.parametrize(
    "options, reason", [("acl_file {rights}", "refused"), ("max_packet_size 1000", "too-large")]
)
def test_what_the_upstream_will_not_have_is_reported_here_and_upstream(tmp_path, mosquitto, keep, connect, options, reason):
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite site/7/plant/taken\ntopic readwrite martlet/#\n")
    upstream = mosquitto(options=options.format(rights=rights))
    box = keep(martlet_bridge(tmp_path / "box", upstream.port)).start()
    cloud = connect("cloud", "5.0", at=upstream)
    cloud.subscribe("martlet/#", 1)
    cloud.subscribe("site/7/plant/taken", 1)
    watcher = connect("watcher", at=box)
    watcher.subscribe("$events/cache/lost", 1)
    client = connect("publisher", at=box)
    before = time.time()
    for number in range(3):
        client.publish("plant/taken", f"{number}", 1)
        client.publish("plant/other", "x" * 2000, 1)
    after = time.time()
    upstream_reports, local_reports = reports(cloud, 3), reports(watcher, 3)
    for said in upstream_reports + local_reports:
        assert (said["bridge"], said["priority"], said["reason"]) == ("cloud", 5, reason)
        assert before - 1 <= said["from"] / 1000 <= said["to"] / 1000 <= after + 1
    assert len(upstream_reports) == len(local_reports)
    assert "they are skipped" in box.log()
