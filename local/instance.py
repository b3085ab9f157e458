"""A named copy of the stack: what it consists of, at which ports, in which folders."""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.login import BY_ARGUMENT, tls

ROOT = Path(__file__).parents[1]
STATE = ROOT / ".local"
HOST = "127.0.0.1"
REPLICA_STEP = 100
PORT_OFFSETS = {"default": 0, "test": 10000, "measured": 15000, "gate": 16000, "chaos": 21000}
"""Of the instances that are known, so that they can run beside each other."""

LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSSLROOTCERT")


@dataclass(frozen=True)
class Database:
    """`order` stands for database order_db of order_user with password order_pass."""

    owner: str
    base_port: int

    @property
    def program(self) -> str:
        """What supervisord calls its Postgres."""
        return f"{self.owner}-db"

    @property
    def name(self) -> str:
        """Also the name of its data folder."""
        return f"{self.owner}_db"

    @property
    def user(self) -> str:
        """The role that owns the database, a superuser of its own cluster."""
        return f"{self.owner}_user"

    @property
    def password(self) -> str:
        """Documented and the same everywhere, so no secret."""
        return f"{self.owner}_pass"

    @property
    def variables(self) -> dict[str, str]:
        """For each of libpq's names the one by which the caller gives a database of his own."""
        service = "SAGA_ORCHESTRATOR" if self.owner == "orchestrator" else f"{self.owner.upper()}_SERVICE"
        return {name: f"{service}_{name}" for name in LIBPQ}

    @property
    def given(self) -> dict[str, str]:
        """What the caller says of a database of his own; empty unless he names its host or its port."""
        said = {name: os.environ.get(variable, "").strip() for name, variable in self.variables.items()}
        return {name: value for name, value in said.items() if value} if said["PGHOST"] or said["PGPORT"] else {}


@dataclass(frozen=True)
class Service:
    """`base_port` is that of the first replica at port offset 0."""

    name: str
    base_port: int
    database: Database

    @property
    def package(self) -> str:
        """The Python package, whose `main` module runs it."""
        return self.name.replace("-", "_")


ORDER = Service("order-service", 4001, Database("order", 5433))
PAYMENT = Service("payment-service", 4002, Database("payment", 5434))
INVENTORY = Service("inventory-service", 4003, Database("inventory", 5435))
ORCHESTRATOR = Service("saga-orchestrator", 4000, Database("orchestrator", 5436))
SERVICES = (ORDER, PAYMENT, INVENTORY, ORCHESTRATOR)
DATABASES = tuple(service.database for service in SERVICES)


@dataclass(frozen=True)
class Instance:
    """One copy of the stack; `port_offset` is added to every port."""

    name: str = "default"
    port_offset: int = 0
    measured: bool = False
    """Postgres counts its statements, and Kafka tells its counts at `kafka_metrics_port`."""

    @property
    def folder(self) -> Path:
        """Configuration, logs and stored data, below .local; `clean` removes it."""
        return STATE / self.name

    @property
    def logs(self) -> Path:
        """One file for each process, `<name>.log`."""
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        """Where the process of this name writes; the file may not exist yet."""
        return self.logs / f"{name}.log"

    @property
    def short_folder(self) -> Path:
        """For sockets, whose path may not be long, and for what another user must reach."""
        key = hashlib.sha256(f"{os.geteuid()}:{self.folder}".encode()).hexdigest()[:10]
        return Path("/var/tmp") / f"saga-{key}"

    @property
    def clone(self) -> Path:
        """A link to this folder: no configuration file reads a space, a comma or an umlaut of its path another way."""
        return self.short_folder / "clone"

    def plain(self, text: str | Path) -> str:
        """The text with the path of this folder replaced by that of the link to it."""
        return str(text).replace(str(ROOT), str(self.clone))

    @property
    def kafka_port(self) -> int:
        """Where clients come in, unless KAFKA_BROKER is given or a stand-in runs."""
        return 9092 + self.port_offset

    @property
    def kafka_controller_port(self) -> int:
        """Only the broker itself uses it."""
        return 9093 + self.port_offset

    @property
    def kafka_proxy_port(self) -> int:
        """Where a test may put a proxy in front of the broker, which then listens one port further."""
        return 9094 + self.port_offset

    @property
    def kafka_metrics_port(self) -> int:
        """Prometheus text at /metrics, only if `measured`."""
        return 9096 + self.port_offset

    def port(self, part: Service | Database, replica: int = 0) -> int:
        """The TCP port; `replica` counts from 0, and only services have more than one."""
        return part.base_port + self.port_offset + REPLICA_STEP * replica

    def url(self, service: Service, replica: int = 0) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"http://{HOST}:{self.port(service, replica)}"

    def database_environment(self, database: Database) -> dict[str, str]:
        """Where the database is, by libpq's names: here, or where the caller has one of his own."""
        return {
            "PGHOST": HOST,
            "PGPORT": str(self.port(database)),
            "PGUSER": database.user,
            "PGPASSWORD": database.password,
            "PGDATABASE": database.name,
            "PGSSLMODE": "disable",
            "PGSSLROOTCERT": "",
        } | database.given

    def login(self, database: Database) -> dict[str, Any]:
        """What `asyncpg.connect` wants to know, for the owner; nothing is left to the shell's own variables."""
        said = self.database_environment(database)
        return {
            **BY_ARGUMENT,
            "ssl": tls(said["PGSSLMODE"], said["PGSSLROOTCERT"]),
            "host": said["PGHOST"],
            "port": int(said["PGPORT"]),
            "user": said["PGUSER"],
            "password": said["PGPASSWORD"],
            "database": said["PGDATABASE"],
        }

    def psql(self, database: Database) -> str:
        """The shell command that opens the database, password included unless it is the caller's own."""
        said = self.database_environment(database)
        host = "localhost" if said["PGHOST"] == HOST else said["PGHOST"]
        password = "" if database.given else f"PGPASSWORD={database.password} "
        return f"{password}psql -h {host} -p {said['PGPORT']} -U {said['PGUSER']} -d {said['PGDATABASE']}"

    def environment(self, kafka_broker: str) -> dict[str, str]:
        """What every child is told."""
        return {
            "STACK_KIND": "local",
            "STACK_INSTANCE": self.name,
            "PORT_OFFSET": str(self.port_offset),
            "KAFKA_BROKER": kafka_broker,
        }

    def service_environment(self, service: Service, replica: int, kafka_broker: str) -> dict[str, str]:
        """What one replica is told: its port, its database, and `environment`."""
        own = {
            "SERVICE": service.name,
            "HOST": HOST,
            "PORT": str(self.port(service, replica)),
            "PYTHONUNBUFFERED": "1",
        } | self.database_environment(service.database)
        if service is ORCHESTRATOR:
            own["ORDER_SERVICE_URL"] = self.url(ORDER, replica)
        return self.environment(kafka_broker) | own


def inherited() -> dict[str, str]:
    """The caller's environment without what it says of some Postgres: children are told of the stack's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def python(*arguments: str) -> tuple[str, ...]:
    """A command for the interpreter that runs this, and so with the packages of .venv."""
    return (sys.executable, *arguments)
