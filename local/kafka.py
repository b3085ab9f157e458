"""The broker: a given one, else Apache Kafka from Maven's jars, else a stand-in without Java."""

import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from local.fallback import installed_fallback
from local.instance import HOST, ROOT, Instance, python
from local.problem import Problem
from local.program import Program, answers_kafka

HERE = Path(__file__).parent / "kafka"
POM = (HERE / "pom.xml").read_text()
VERSIONS: dict[str, str] = dict(re.findall(r"<artifactId>(.+)</artifactId>\s*<version>(.+)</version>", POM))
VERSION = VERSIONS["kafka_2.13"]
POM_HASH = hashlib.sha256(POM.encode()).hexdigest()[:8]
NOT_STARTED = "not started"
CLUSTER_ID = "c2FnYS1kZW1vLWxvY2FsMQ"
JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def given_broker(instance: Instance) -> str | None:
    """KAFKA_BROKER, unless it only repeats what this instance told its children."""
    broker = os.environ.get("KAFKA_BROKER", "").strip() or None
    return None if broker in (_own_address(instance), _read(_stand_in_address(instance))) else broker


def prefix() -> str:
    """KAFKA_PREFIX: what topics and groups begin with on the broker."""
    return os.environ.get("KAFKA_PREFIX", "").strip()


@cache
def has_java() -> bool:
    """Also false where `java` is only a stub that offers to install it."""
    tools = shutil.which("java"), shutil.which("mvn")
    return all(tools) and subprocess.run(["java", "-version"], capture_output=True).returncode == 0


def broker(instance: Instance) -> str:
    """Its host:port, or several with commas if so given; `NOT_STARTED` while a stand-in has none yet."""
    if given := given_broker(instance):
        return given
    return _own_address(instance) if has_java() else _read(_stand_in_address(instance)) or NOT_STARTED


def for_clients(instance: Instance) -> str:
    """The broker; while no stand-in runs here, the port at which that of docker-compose.yml listens."""
    found = broker(instance)
    return _own_address(instance) if found == NOT_STARTED else found


def is_stand_in(instance: Instance) -> bool:
    """True if no broker is given, and Java or Maven is missing."""
    return not given_broker(instance) and not has_java()


def require_real(instance: Instance) -> None:
    """`Problem` where only the stand-in can be had."""
    if is_stand_in(instance):
        raise Problem(
            "This needs the real Kafka: install Java 11 or newer and Maven (Debian: maven). "
            "The stand-in is enough for `make demo` and `make up`; `make test-unit` needs none."
        )


def description(instance: Instance) -> str:
    """Which of the three it is, for the console, in rich's markup."""
    if given := given_broker(instance):
        return f"the broker at {given}, as KAFKA_BROKER says"
    if has_java():
        return f"Apache Kafka {VERSION} in KRaft mode, jars in {jars()}"
    return (
        "[bold yellow]a stand-in, since Java and Maven are not both here: one member a group, nothing kept; "
        "enough for `make demo`, while `make test` needs the real one (Debian: maven)[/]"
    )


def programs(instance: Instance) -> list[Program]:
    """The one process, or none if a broker is given."""
    if given_broker(instance):
        return []
    command: tuple[str, ...] = python("-m", "local.kafka_stand_in", str(_stand_in_address(instance)))
    ports: tuple[int, ...] = ()
    if has_java():
        counting = (_counting(instance),) if instance.measured else ()
        command = (*_jvm(instance), *counting, "-cp", f"{jars()}/*", "kafka.Kafka", str(_properties(instance)))
        ports = (instance.kafka_port, instance.kafka_controller_port)
    return [Program("kafka", command, ports, answers_kafka(lambda: broker(instance)), ROOT)]


def _jvm(instance: Instance) -> tuple[str, ...]:
    """Java's beginning of a command; in the locale C it opens no file whose path is not ASCII."""
    return (java(), *JVM, f"-Dlog4j.configuration=file:{instance.plain(HERE)}/log4j.properties")


def _counting(instance: Instance) -> str:
    """An agent in the broker's process that shows a few of its counts over HTTP."""
    agent = f"jmx_prometheus_javaagent-{VERSIONS['jmx_prometheus_javaagent']}.jar"
    return f"-javaagent:{jars() / agent}={HOST}:{instance.kafka_metrics_port}:{instance.plain(HERE)}/counts.yaml"


def prepare(instance: Instance, for_proxy: bool = False) -> None:
    """Fetch the jars and format the log folder, each if it has not been done.

    With `for_proxy` there is a second way in, whose clients are told to come by the port of a proxy.
    """
    if given_broker(instance):
        return
    if not has_java():
        installed_fallback("confluent_kafka")
        _stand_in_address(instance).unlink(missing_ok=True)
        return
    if not jars().exists():
        _fetch_jars(instance)
    settings = _addresses(instance) | (_second_way_in(instance) if for_proxy else {})
    own = "".join(f"{name}={value}\n" for name, value in settings.items())
    _properties(instance).write_text((HERE / "server.properties").read_text() + own)
    if not (instance.folder / "kafka" / "meta.properties").exists():
        _format(instance)


def require_answer(brokers: str) -> None:
    """`Problem` if none of these lets anybody connect."""
    for address in brokers.split(","):
        host, _, port = address.strip().rpartition(":")
        with suppress(OSError, ValueError), socket.create_connection((host, int(port)), timeout=5):
            return
    raise Problem(f"Nothing answers at KAFKA_BROKER={brokers}: unset it, and a broker is started here.")


@cache
def jars() -> Path:
    """Shared by every clone and instance on this machine."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache_folder / "saga-demo" / f"kafka-{VERSION}-{POM_HASH}"


def _fetch_jars(instance: Instance) -> None:
    jars().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars().parent) as folder:
        copy = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}/jars")
        done = subprocess.run(
            ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", f"{instance.plain(HERE)}/pom.xml", *copy],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            error = next((line for line in done.stdout.splitlines() if "ERROR" in line), "no reason given")
            raise Problem(
                "Maven could not fetch Kafka: is its central repository reachable, and is there disk space? "
                f"Or set KAFKA_BROKER to a broker of yours. Maven says: {error}"
            )
        if not jars().exists():
            Path(folder, "jars").rename(jars())


def _format(instance: Instance) -> None:
    tool = ("-cp", f"{jars()}/*", "kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config")
    command = [*_jvm(instance), *tool, instance.plain(_properties(instance)), "--ignore-formatted"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Problem(f"Could not format Kafka's log folder: {(done.stderr or done.stdout).strip()[-500:]}")


def java() -> str:
    """Its full path; `java` if the PATH has none."""
    return shutil.which("java") or "java"


def _addresses(instance: Instance) -> dict[str, object]:
    controller = f"{HOST}:{instance.kafka_controller_port}"
    return {
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{_own_address(instance)},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{_own_address(instance)}",
        "log.dirs": instance.plain(instance.folder / "kafka"),  # a list, with commas between
    }


def _second_way_in(instance: Instance) -> dict[str, object]:
    addresses, proxy = _addresses(instance), instance.kafka_proxy_port
    return {
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listeners": f"PROXIED://{HOST}:{proxy + 1},{addresses['listeners']}",
        "advertised.listeners": f"PROXIED://{HOST}:{proxy},{addresses['advertised.listeners']}",
    }


def _own_address(instance: Instance) -> str:
    return f"{HOST}:{instance.kafka_port}"


def _properties(instance: Instance) -> Path:
    return instance.folder / "kafka.properties"


def _stand_in_address(instance: Instance) -> Path:
    """The stand-in chooses its port itself and writes it here."""
    return instance.folder / "kafka.address"


def _read(path: Path) -> str | None:
    return path.read_text().strip() if path.exists() else None
