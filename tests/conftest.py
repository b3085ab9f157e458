"""What a shell says of somebody's own Postgres, or of a proxy, is not meant for the tests, nor for what they start."""

import os

for name in [name for name in os.environ if name.startswith("PG")]:
    del os.environ[name]
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = "localhost,127.0.0.1"
