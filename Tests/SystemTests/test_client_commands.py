"""`martlet pub` and `martlet sub` against Martlet and against mosquitto, and together with mosquitto's own clients."""

import json
import os

import pytest

from harness.broker import Martlet, Mosquitto
from harness.martlet_client import Subscriber, at, pub, published
from harness.programs import lines_of, mosquitto_pub, mosquitto_sub, wait_subscribed
from harness.tcp_proxy import TcpProxy

pytestmark = pytest.mark.martlet_only


@pytest.fixture(scope="module", params=["martlet", "mosquitto"])
def peer(request, tmp_path_factory):
    """A running broker: Martlet's and mosquitto's."""
    kind = Martlet if request.param == "martlet" else Mosquitto
    broker = kind(tmp_path_factory.mktemp(f"peer-{request.param}"))
    broker.start()
    yield broker
    broker.forget()


@pytest.fixture(params=["3.1", "3.1.1", "5"])
def any_version(request):
    return ["-V", request.param]


@pytest.fixture
def sub(tmp_path, keep):
    """`sub(…)` starts `martlet sub` and returns when it has subscribed."""

    def start(*arguments, waits=True):
        subscriber = keep(Subscriber(tmp_path, *arguments))
        return subscriber.wait_for("subscribed to") if waits else subscriber

    return start


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_sub_gets_what_pub_publishes(peer, sub, root, any_version, qos):
    subscriber = sub(*at(peer.port), *any_version, "-t", f"{root}/#", "-q", qos, "-C", 2, "-F", "%t %q %r %p")
    published(*at(peer.port), *any_version, "-t", f"{root}/a", "-q", qos, "-m", "on")
    published(*at(peer.port), *any_version, "-t", f"{root}/b", "-q", qos, "-m", "off and on")
    assert subscriber.messages() == [f"{root}/a {qos} 0 on", f"{root}/b {qos} 0 off and on"]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_sub_gets_what_pub_publishes(peer, version, root, qos):
    with mosquitto_sub(peer.port, f"{root}/+", 1, version=version, qos=qos) as subscriber:
        wait_subscribed(subscriber)
        published(*at(peer.port), "-V", version, "-t", f"{root}/a", "-q", qos, "-m", "x y")
        assert lines_of(subscriber) == [[f"{root}/a", str(qos), "0", "x y"]]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_sub_gets_what_mosquitto_pub_publishes(peer, sub, version, root, qos):
    subscriber = sub(*at(peer.port), "-V", version, "-t", f"{root}/+", "-q", qos, "-C", 1, "-v")
    mosquitto_pub(peer.port, f"{root}/a", "x y", version=version, qos=qos)
    assert subscriber.messages() == [f"{root}/a x y"]


def test_each_line_of_the_input_is_a_message(peer, sub, root):
    subscriber = sub(*at(peer.port), "-t", root, "-q", 1, "-C", 500)
    text = "".join(f"line {number}\n" for number in range(500))
    published(*at(peer.port), "-t", root, "-q", 1, "-l", "-M", 5, input=text.encode())
    assert subscriber.messages() == text.splitlines()


def test_a_large_file_arrives_byte_for_byte(peer, sub, root, tmp_path):
    content = os.urandom(900_000)
    (tmp_path / "content").write_bytes(content)
    subscriber = sub(*at(peer.port), "-t", root, "-C", 1, "-N")
    published(*at(peer.port), "-t", root, "-f", tmp_path / "content")
    assert subscriber.result() == (0, content)


def test_the_input_is_one_message_and_an_empty_one_is_told_with_its_topic(peer, sub, root):
    subscriber = sub(*at(peer.port), "-t", f"{root}/#", "-q", 1, "-C", 2, "-v")
    published(*at(peer.port), "-t", f"{root}/a", "-q", 1, "-s", input=b"one\ntwo")
    published(*at(peer.port), "-t", f"{root}/b", "-q", 1, "-n")
    assert subscriber.messages() == [f"{root}/a one", "two", f"{root}/b (null)"]


def test_a_message_is_repeated(peer, sub, root):
    subscriber = sub(*at(peer.port), "-t", root, "-C", 3)
    published(*at(peer.port), "-t", root, "-m", "again", "--repeat", 3, "--repeat-delay", 0.05)
    assert subscriber.messages() == ["again"] * 3


def test_retained_messages_are_kept_skipped_and_removed(peer, sub, root):
    published(*at(peer.port), "-t", f"{root}/kept", "-m", "old", "-r", "-q", 1)
    assert sub(*at(peer.port), "-t", f"{root}/#", "-C", 1, "-F", "%r %p").messages() == ["1 old"]
    subscriber = sub(*at(peer.port), "-t", f"{root}/#", "-R", "-C", 1, "-q", 1)
    published(*at(peer.port), "-t", f"{root}/new", "-m", "new", "-q", 1)
    assert subscriber.messages() == ["new"]
    published(*at(peer.port), "-t", f"{root}/kept", "-n", "-r", "-q", 1)
    assert sub(*at(peer.port), "-t", f"{root}/#", "-W", 0.5).result() == (27, b"")


def test_topics_are_filtered_out(peer, sub, root):
    subscriber = sub(*at(peer.port), "-t", f"{root}/#", "-T", f"{root}/noise/#", "-C", 1, "-v", "-q", 1)
    for topic in ("noise/a", "signal"):
        published(*at(peer.port), "-t", f"{root}/{topic}", "-m", "x", "-q", 1)
    assert subscriber.messages() == [f"{root}/signal x"]


def test_the_properties_of_mqtt_5_go_all_the_way(peer, sub, root):
    subscriber = sub(*at(peer.port), "-t", root, "-C", 1, "-F", "%j", "-D", "subscribe", "subscription-identifier", 42)
    properties = ["content-type", "text/plain", "-D", "publish", "response-topic", "answers", "-D", "publish"]
    properties += ["user-property", "unit", "°C", "-D", "publish", "correlation-data", "17", "-D", "publish"]
    properties += ["message-expiry-interval", 60, "-D", "publish", "payload-format-indicator", 1]
    published(*at(peer.port), "-t", root, "-m", "warm", "-D", "publish", *properties)
    (line,) = subscriber.messages()
    message = json.loads(line)
    assert (message["topic"], message["payload"], message["payloadlen"]) == (root, "warm", 4)
    found = message["properties"]
    assert found.pop("message-expiry-interval") in (59, 60)
    assert found.pop("payload-format-indicator") == 1
    assert found == {
        "content-type": "text/plain",
        "response-topic": "answers",
        "correlation-data": "17",
        "subscription-identifiers": [42],
        "user-properties": [{"unit": "°C"}],
    }


def test_mosquitto_sub_sees_the_properties(peer, root):
    with mosquitto_sub(peer.port, root, 1, version="5.0", options=["-F", "message %C %R %P"]) as subscriber:
        wait_subscribed(subscriber)
        published(*at(peer.port), "-t", root, "-m", "x", "-D", "publish", "content-type", "c", "-D", "publish", "response-topic", "r")
        assert lines_of(subscriber) == [["c", "r", ""]]


def test_a_topic_alias_stands_for_the_topic(peer, sub, root):
    subscriber = sub(*at(peer.port), "-t", root, "-C", 3, "-v")
    published(*at(peer.port), "-t", root, "-l", "-D", "publish", "topic-alias", 1, input=b"a\nb\nc\n")
    assert subscriber.messages() == [f"{root} a", f"{root} b", f"{root} c"]


def test_a_session_keeps_what_comes_while_its_client_is_away(peer, sub, root):
    options = [*at(peer.port), "-i", f"{root}-keeper", "-c", "-x", 3600, "-t", root, "-q", 1]
    assert sub(*options, "-E").messages() == []
    for payload in ("first", "second"):
        published(*at(peer.port), "-t", root, "-q", 1, "-m", payload)
    assert sub(*options, "-C", 2, waits=False).messages() == ["first", "second"]


def test_what_is_beyond_the_count_stays_in_the_session(peer, sub, root):
    options = [*at(peer.port), "-i", f"{root}-counter", "-c", "-t", root, "-q", 1]
    sub(*options, "-E").messages()
    published(*at(peer.port), "-t", root, "-q", 1, "-l", input=b"1\n2\n3\n")
    assert sub(*options, "-C", 2, waits=False).messages() == ["1", "2"]
    assert sub(*options, "-C", 1, waits=False).messages() == ["3"]


def test_a_client_unsubscribes(peer, sub, root):
    options = [*at(peer.port), "-i", f"{root}-leaver", "-c", "-q", 1]
    sub(*options, "-t", f"{root}/a", "-t", f"{root}/b", "-E").messages()
    subscriber = sub(*options, "-U", f"{root}/a", waits=False)
    assert subscriber.messages() == [] and f"unsubscribed from {root}/a" in subscriber.said()
    for topic in "ab":
        published(*at(peer.port), "-t", f"{root}/{topic}", "-q", 1, "-m", topic)
    assert sub(*options, "-t", f"{root}/b", "-C", 1, waits=False).messages() == ["b"]


def test_the_will_is_published_when_the_client_dies(peer, sub, root):
    watcher = sub(*at(peer.port), "-t", f"{root}/will", "-C", 1, "-F", "%q %r %p %C")
    will = ["--will-topic", f"{root}/will", "--will-payload", "gone", "--will-qos", 1, "-D", "will", "content-type", "text/plain"]
    victim = sub(*at(peer.port), "-t", f"{root}/x", "-k", 60, *will)
    victim.stop()
    assert watcher.messages() == ["0 0 gone text/plain"]


def test_sub_leaves_in_good_order_when_it_is_told_to(peer, sub, root):
    watcher = sub(*at(peer.port), "-t", f"{root}/will", "-W", 1)
    leaver = sub(*at(peer.port), "-t", f"{root}/x", "--will-topic", f"{root}/will", "--will-payload", "gone")
    assert leaver.terminate() == (0, b"")
    assert watcher.result() == (27, b"")


def test_sub_comes_back_after_the_broker_was_away(peer, sub, root, keep):
    proxy = keep(TcpProxy(peer.port)).open()
    subscriber = sub(*at(proxy.port), "-t", root, "-q", 1, "-C", 2)
    published(*at(peer.port), "-t", root, "-q", 1, "-m", "before")
    proxy.close()
    subscriber.wait_for("connecting again")
    proxy.open()
    subscriber.wait_for("subscribed to", 2)
    published(*at(peer.port), "-t", root, "-q", 1, "-m", "after")
    assert subscriber.messages() == ["before", "after"]


def test_the_broker_is_named_by_a_url(peer, sub, root):
    subscriber = sub("-L", f"mqtt://127.0.0.1:{peer.port}/{root}/a", "-C", 1)
    published("-L", f"mqtt://127.0.0.1:{peer.port}/{root}/a", "-m", "x", "-q", 1)
    assert subscriber.messages() == ["x"]


def test_shared_subscriptions_divide_the_messages(peer, sub, root):
    subscribers = [sub(*at(peer.port), "-t", f"$share/g/{root}", "-q", 1, "-W", 3) for _ in range(2)]
    published(*at(peer.port), "-t", root, "-q", 1, "-l", input=b"1\n2\n3\n4\n5\n6\n")
    found = [subscriber.result()[1].decode().split() for subscriber in subscribers]
    assert sorted(found[0] + found[1]) == list("123456")
    assert all(found)


def test_nobody_there(root):
    result = pub("-h", "127.0.0.1", "-p", 1, "-t", root, "-m", "x")
    assert result.returncode == 1
    assert result.stderr.decode() == "martlet pub: no connection: 127.0.0.1:1: Connection refused\n"
    quiet = pub("-h", "127.0.0.1", "-p", 1, "-t", root, "-m", "x", "--quiet")
    assert (quiet.returncode, quiet.stderr) == (1, b"")


def test_user_name_and_password(tmp_path, keep, sub, root):
    broker = keep(Mosquitto(tmp_path / "users", users={"ann": "s3cret", "bob": "other"})).start()
    refused = pub(*at(broker.port), "-t", root, "-m", "x", "-u", "ann", "-P", "wrong")
    assert refused.returncode == 5 and "not authorized (0x87)" in refused.stderr.decode()
    older = pub(*at(broker.port), "-t", root, "-m", "x", "-u", "ann", "-P", "wrong", "-V", "3.1.1")
    assert older.returncode == 5 and "not authorized (0x87)" in older.stderr.decode()
    (tmp_path / "password").write_text("s3cret\n")
    published(*at(broker.port), "-t", root, "-m", "x", "-u", "ann", "-P", "s3cret")
    published(*at(broker.port), "-t", root, "-m", "x", "-u", "ann", "--password-file", tmp_path / "password")
    environment = {**os.environ, "MARTLET_PASSWORD": "s3cret"}
    published(*at(broker.port), "-t", root, "-m", "x", "-u", "ann", environment=environment)
    published("-L", f"mqtt://ann:s3cret@127.0.0.1:{broker.port}/{root}", "-m", "x")
    missing = pub(*at(broker.port), "-t", root, "-m", "x", "-u", "ann", "--password-file", tmp_path / "none")
    assert missing.returncode == 1 and "none: cannot be opened: No such file" in missing.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["-t", "a/#", "-m", "x"], ["-m", "x"], ["-t", "a"], ["-t", "a", "-m", "x", "-n"], ["-t", "a", "-m", "x", "-q", "3"],
        ["-t", "a", "-m", "x", "-V", "4"], ["-t", "a", "-m", "x", "-c"], ["-t", "a", "-m", "x", "-D", "publish", "nonsense", "1"],
        ["-t", "a", "-m", "x", "-V", "3.1.1", "-D", "publish", "content-type", "c"], ["-t", "a", "-m", "x", "-L", "http://a"],
        ["-t", "a", "-m", "x", "--cert", "c"], ["-t", "a", "-m", "x", "--psk", "0g", "--psk-identity", "i"],
    ],
)
def test_options_that_cannot_be_used(arguments):
    result = pub(*arguments)
    assert result.returncode == 64 and result.stderr
