"""The inventory service's settings: the chassis's with defaults of its own."""

from pydantic import Field

from chassis.settings import Port
from chassis.settings import Settings as ChassisSettings


class Settings(ChassisSettings):
    """Every one is an environment variable."""

    service: str = "inventory-service"
    port: Port = 4003
    pgport: Port = 5435
    pguser: str = "inventory_user"
    pgpassword: str = "inventory_pass"
    pgdatabase: str = "inventory_db"
    inventory_failure_rate: float = Field(0.35, ge=0, le=1, description="share of reserves without forceFail that fail")
