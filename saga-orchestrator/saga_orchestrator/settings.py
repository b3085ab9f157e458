"""The orchestrator's settings: the chassis's with defaults of its own."""

from pydantic import Field

from chassis.settings import Count, Duration, Port
from chassis.settings import Settings as ChassisSettings


class Settings(ChassisSettings):
    """Every one is an environment variable."""

    service: str = "saga-orchestrator"
    port: Port = 4000
    pgport: Port = 5436
    pguser: str = "orchestrator_user"
    pgpassword: str = "orchestrator_pass"
    pgdatabase: str = "orchestrator_db"

    operator_token: str = Field("", description="bearer token of the operator actions; without one they answer 403")
    checkout_wait_seconds: float = Field(10.0, ge=0, le=10, description="then 202; less than SHUTDOWN_SECONDS")
    waiter_check_seconds: Duration = 0.2
    step_timeout_scale: Duration = Field(1.0, description="multiplies every timeout of definition.py")
    deadline_check_seconds: Duration = 1.0
    deadline_check_rows: Count = Field(2_000, description="how many overdue sagas to look up at once")
    deadline_busy_check_seconds: Duration = Field(0.1, description="while some of these wait to be woken")
    deadline_woken_max_sagas: Count = Field(200, description="how many woken sagas may run at once; the others wait")
    deadline_woken_seconds: Duration = Field(2.0, description="a woken saga that still runs then counts no longer")
    deadline_refused_seconds: Duration = Field(30.0, description="until a saga that could not be woken is tried again")
    order_service_url: str = Field("http://127.0.0.1:4001", pattern=r"^https?://\S+$")
    order_call_timeout_seconds: Duration = 5.0
    order_calls_parallel: Count = Field(4, description="requests to the order service at once")
    order_call_max_commands: Count = Field(
        50, le=100, description="in one of them; its MAX_BODY_BYTES has room for 50 of the longest"
    )
