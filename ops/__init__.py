"""Tools for whoever is on call: the dead letters, and sending again what a lost Kafka log took along."""
