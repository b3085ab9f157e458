"""What a shell says of somebody's own Postgres is not meant for the tests, nor for what they start."""

import os

for name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[name]
