"""The same system as people first write it: correct, and slow for reasons that each look harmless.

A transaction a message, an outbox polled every 50 ms and sent row by row, an offset commit a message, one consumer
handling one message at a time, FastAPI with pydantic on every route, httpx as it comes. Everything that makes it
correct is there: outbox, inbox, idempotent commands, explicit offsets, acks=all, durable Postgres.
"""
