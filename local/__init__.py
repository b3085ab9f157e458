"""The same stack as docker-compose.yml without Docker: Postgres, Kafka and the services under supervisord."""
