"""Debian's RabbitMQ with its MQTT plugin."""

import itertools

from .broker import Broker
from .ports import free_port
from .process import Process

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_names = itertools.count(1)


class RabbitMQ(Broker):
    """One node, whose nobody may do everything, with a name server of Erlang's for itself."""

    #: It takes some ten seconds, and longer on a busy machine.
    start_timeout = 90

    def __init__(self, directory):
        directory.mkdir(parents=True, exist_ok=True)
        port, names = free_port(), free_port()
        configuration = directory / "rabbitmq.conf"
        configuration.write_text(
            "listeners.tcp = none\n"
            f"mqtt.listeners.tcp.1 = 127.0.0.1:{port}\n"
            "mqtt.allow_anonymous = true\n"
            "mqtt.default_user = guest\n"
            "mqtt.default_pass = guest\n"
            "log.console = true\n"
            "log.file = false\n"
        )
        plugins = directory / "enabled_plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        environment = {
            "HOME": str(directory),
            "ERL_EPMD_PORT": str(names),
            "RABBITMQ_NODENAME": f"node-{next(_names)}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
            # The script then becomes the server, so that what ends the one ends the other.
            "RUNNING_UNDER_SYSTEMD": "true",
        }
        self._names = Process("epmd", ["epmd", "-address", "127.0.0.1", "-port", names], directory / "epmd.log")
        super().__init__("rabbitmq", [_SERVER], directory, port, environment)

    def launch(self):
        if not self._names.is_alive():
            self._names.launch()
        super().launch()

    def forget(self):
        super().forget()
        self._names.forget()
