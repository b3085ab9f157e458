"""A named copy of the stack: what it consists of, at which ports, in which folders."""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATE = ROOT / ".local"
HOST = "127.0.0.1"
REPLICA_STEP = 100


@dataclass(frozen=True)
class Database:
    """`order` stands for database order_db of order_user with password order_pass."""

    owner: str
    base_port: int

    @property
    def program(self) -> str:
        return f"{self.owner}-db"

    @property
    def name(self) -> str:
        return f"{self.owner}_db"

    @property
    def user(self) -> str:
        return f"{self.owner}_user"

    @property
    def password(self) -> str:
        return f"{self.owner}_pass"


@dataclass(frozen=True)
class Service:
    name: str
    base_port: int
    database: Database

    @property
    def package(self) -> str:
        return self.name.replace("-", "_")


ORDER = Service("order-service", 4001, Database("order", 5433))
PAYMENT = Service("payment-service", 4002, Database("payment", 5434))
INVENTORY = Service("inventory-service", 4003, Database("inventory", 5435))
ORCHESTRATOR = Service("saga-orchestrator", 4000, Database("orchestrator", 5436))
SERVICES = (ORDER, PAYMENT, INVENTORY, ORCHESTRATOR)
DATABASES = tuple(service.database for service in SERVICES)


@dataclass(frozen=True)
class Instance:
    name: str = "default"
    port_offset: int = 0
    measured: bool = False
    """Postgres counts its statements, and Kafka tells its counts at `kafka_metrics_port`."""

    @property
    def folder(self) -> Path:
        return STATE / self.name

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def short_folder(self) -> Path:
        """For sockets, whose path may not be long, and for what another user must reach."""
        key = hashlib.sha256(f"{os.geteuid()}:{self.folder}".encode()).hexdigest()[:10]
        return Path("/var/tmp") / f"saga-{key}"

    @property
    def kafka_port(self) -> int:
        return 9092 + self.port_offset

    @property
    def kafka_controller_port(self) -> int:
        return 9093 + self.port_offset

    @property
    def kafka_proxy_port(self) -> int:
        """Where a test may put a proxy in front of the broker, which then listens one port further."""
        return 9094 + self.port_offset

    @property
    def kafka_metrics_port(self) -> int:
        return 9096 + self.port_offset

    def port(self, part: Service | Database, replica: int = 0) -> int:
        return part.base_port + self.port_offset + REPLICA_STEP * replica

    def url(self, service: Service, replica: int = 0) -> str:
        return f"http://{HOST}:{self.port(service, replica)}"

    def psql(self, database: Database) -> str:
        return (
            f"PGPASSWORD={database.password} "
            f"psql -h localhost -p {self.port(database)} -U {database.user} -d {database.name}"
        )

    def environment(self, kafka_broker: str) -> dict[str, str]:
        """What every child is told."""
        return {
            "STACK_KIND": "local",
            "STACK_INSTANCE": self.name,
            "PORT_OFFSET": str(self.port_offset),
            "KAFKA_BROKER": kafka_broker,
        }

    def service_environment(self, service: Service, replica: int, kafka_broker: str) -> dict[str, str]:
        database = service.database
        own = {
            "SERVICE": service.name,
            "HOST": HOST,
            "PORT": str(self.port(service, replica)),
            "PGHOST": HOST,
            "PGPORT": str(self.port(database)),
            "PGUSER": database.user,
            "PGPASSWORD": database.password,
            "PGDATABASE": database.name,
            "PYTHONUNBUFFERED": "1",
        }
        if service is ORCHESTRATOR:
            own["ORDER_SERVICE_URL"] = self.url(ORDER, replica)
        return self.environment(kafka_broker) | own


def python(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, *arguments)
