"""Debian's nats-server with its MQTT listener, alone or as one node of a cluster."""

from .broker import Broker
from .ports import free_port


class Nats(Broker):
    """With `cluster`, the ports at which all nodes of the cluster find each other, `node` counts them from 0."""

    #: A node of a cluster answers once there is a leader.
    start_timeout = 60

    def __init__(self, directory, *, node=0, cluster=None):
        directory.mkdir(parents=True, exist_ok=True)
        port = free_port()
        lines = [
            f"server_name: node-{node}",
            f'listen: "127.0.0.1:{free_port()}"',
            f'jetstream {{ store_dir: "{directory}" }}',
            f'mqtt {{ listen: "127.0.0.1:{port}" }}',
        ]
        if cluster:
            routes = ", ".join(f'"nats://127.0.0.1:{other}"' for other in cluster)
            lines.append(f'cluster {{ name: "test", listen: "127.0.0.1:{cluster[node]}", routes: [{routes}] }}')
        configuration = directory / "nats.conf"
        configuration.write_text("\n".join(lines) + "\n")
        super().__init__(f"nats-{node}", ["/usr/sbin/nats-server", "-c", configuration], directory, port)


class NatsCluster:
    """Three nodes, each with a replica of every session and every stored message."""

    def __init__(self, directory):
        ports = [free_port() for _ in range(3)]
        self.nodes = [Nats(directory / f"node-{node}", node=node, cluster=ports) for node in range(3)]

    @property
    def ports(self):
        return [node.port for node in self.nodes]

    def start(self):
        # None of them answers before two of them are there.
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        return self

    def forget(self):
        for node in self.nodes:
            node.forget()
