"""The order service's settings: the chassis's with defaults of its own."""

from chassis.settings import Port
from chassis.settings import Settings as ChassisSettings


class Settings(ChassisSettings):
    """Every one is an environment variable."""

    service: str = "order-service"
    port: Port = 4001
    pgport: Port = 5433
    pguser: str = "order_user"
    pgpassword: str = "order_pass"
    pgdatabase: str = "order_db"
