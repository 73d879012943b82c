"""What Redpanda is told: its configuration files and its command line.

Durability is the reason for what is not here: neither `--unsafe-bypass-fsync` nor write caching, both of which the
`dev-container` mode of Redpanda's own tool turns on.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

from medkg_lab.broker.redpanda.installation import Installation
from medkg_lab.files import replace_private

CONFIG = "redpanda.yaml"
CLUSTER = ".bootstrap.yaml"
"""Read by Redpanda at its first start from beside its configuration."""
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Plan:
    """One Redpanda to be: where its files go, its ports, its memory."""

    folder: Path
    kafka: int
    rpc: int
    admin: int
    memory_mib: int
    auto_create_topics: bool

    @property
    def data(self) -> Path:
        """Where Redpanda keeps its logs."""
        return self.folder / "data"

    @property
    def config_path(self) -> Path:
        """Redpanda's configuration file."""
        return self.folder / CONFIG

    def node(self) -> dict[str, object]:
        """The content of the configuration file; `developer_mode` leaves out the checks for a server's hardware."""
        kafka = [{"address": _HOST, "port": self.kafka}]
        return {
            "redpanda": {
                "data_directory": str(self.data),
                "node_id": 0,
                "developer_mode": True,
                "empty_seed_starts_cluster": True,
                "seed_servers": [],
                "rpc_server": {"address": _HOST, "port": self.rpc},
                "kafka_api": kafka,
                "advertised_kafka_api": kafka,
                "admin": [{"address": _HOST, "port": self.admin}],
            }
        }

    def cluster(self) -> dict[str, object]:
        """The settings of the cluster at its first start."""
        return {
            "auto_create_topics_enabled": self.auto_create_topics,
            "enable_metrics_reporter": False,
            "group_topic_partitions": 3,
            "write_caching_default": "false",
        }

    def write(self) -> None:
        """Put both files where Redpanda reads them. Raises OSError."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_private(self.config_path, yaml.safe_dump(self.node(), sort_keys=False))
        replace_private(self.folder / CLUSTER, yaml.safe_dump(self.cluster(), sort_keys=False))

    def command(self, installation: Installation) -> list[str]:
        """The command line; one core always, because a data folder can never be opened with fewer than before."""
        return [
            *installation.command,
            "--redpanda-cfg",
            str(self.config_path),
            "--smp",
            "1",
            "--memory",
            f"{self.memory_mib}M",
            "--reserve-memory",
            "0M",
            "--overprovisioned",
            "--lock-memory=false",
            "--unsafe-bypass-fsync=0",
            "--default-log-level=info",
        ]
