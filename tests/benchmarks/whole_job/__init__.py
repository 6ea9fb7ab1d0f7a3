"""The whole job, from events to decisions on a real Kafka, beside plain programs that do it."""
