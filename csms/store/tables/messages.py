"""What was said: OCPP frames, who listens to them, security events."""

from csms.store.tables.columns import flag, index, jsonb, key, moment, number, table, text, texts

ocpp_messages = table(
    "OCPPMessages",
    key(),
    texts("stationId", "correlationId", "origin", "protocol", "action"),
    jsonb("message"),
    moment("timestamp"),
    text("state"),
    number("requestMessageId", refers="OCPPMessages.id"),
    index("stationId", "timestamp"),
    index("correlationId"),
    index("requestMessageId"),
)

subscriptions = table(
    "Subscriptions",
    key(),
    text("stationId"),
    flag("onConnect", default=False),
    flag("onClose", default=False),
    flag("onMessage", default=False),
    flag("sentMessage", default=False),
    texts("messageRegexFilter", "url"),
    index("stationId"),
)

security_events = table(
    "SecurityEvents",
    key(),
    texts("stationId", "type"),
    moment("timestamp"),
    text("techInfo"),
    index("stationId", "timestamp"),
)
