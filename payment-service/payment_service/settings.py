"""The payment service's settings: the chassis's with defaults of its own."""

from pydantic import Field

from chassis.settings import Port
from chassis.settings import Settings as ChassisSettings


class Settings(ChassisSettings):
    """Every one is an environment variable."""

    service: str = "payment-service"
    port: Port = 4002
    pgport: Port = 5434
    pguser: str = "payment_user"
    pgpassword: str = "payment_pass"
    pgdatabase: str = "payment_db"
    payment_failure_rate: float = Field(0.25, ge=0, le=1, description="share of charges without forceFail that fail")
