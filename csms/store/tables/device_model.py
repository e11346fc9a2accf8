"""The stations' components, variables and monitors (OCPP 2.x)."""

from csms.store.tables.columns import decimals, flag, index, json, key, moment, number, table, text, texts, unique

components = table(
    "Components",
    key(),
    texts("name", "instance"),
    number("evseDatabaseId", refers="EvseTypes.databaseId"),
    unique("name", "instance"),
)

variables = table(
    "Variables",
    key(),
    texts("name", "instance"),
    unique("name", "instance"),
)

component_variables = table(
    "ComponentVariables",
    number("componentId", refers="Components.id", primary=True),
    number("variableId", refers="Variables.id", primary=True),
)

variable_attributes = table(
    "VariableAttributes",
    key(),
    text("stationId", refers="ChargingStations.id", required=True),
    text("type", default="Actual"),
    text("dataType", default="string"),
    text("value", 4000),
    text("mutability", default="ReadWrite"),
    flag("persistent", default=False),
    flag("constant", default=False),
    moment("generatedAt"),
    number("variableId", refers="Variables.id"),
    number("componentId", refers="Components.id"),
    number("evseDatabaseId", refers="EvseTypes.databaseId"),
    text("bootConfigId", refers="Boots.id"),
    unique("stationId", "type", "variableId", "componentId"),
)

variable_characteristics = table(
    "VariableCharacteristics",
    key(),
    texts("unit", "dataType"),
    decimals("minLimit", "maxLimit"),
    text("valuesList", 4000),
    flag("supportsMonitoring"),
    number("variableId", refers="Variables.id"),
    unique("variableId"),
)

variable_statuses = table(
    "VariableStatuses",
    key(),
    text("value", 4000),
    text("status"),
    json("statusInfo"),
    number("variableAttributeId", refers="VariableAttributes.id"),
    index("variableAttributeId"),
)

variable_monitorings = table(
    "VariableMonitorings",
    key("databaseId"),
    text("stationId"),
    number("id"),
    flag("transaction"),
    number("value"),
    text("type"),
    number("severity"),
    number("variableId", refers="Variables.id"),
    number("componentId", refers="Components.id"),
    unique("stationId", "id"),
)

variable_monitoring_statuses = table(
    "VariableMonitoringStatuses",
    key(),
    text("status"),
    json("statusInfo"),
    number("variableMonitoringId", refers="VariableMonitorings.databaseId"),
)

event_data = table(
    "EventData",
    key(),
    text("stationId"),
    number("eventId"),
    text("trigger"),
    number("cause"),
    moment("timestamp"),
    texts("actualValue", "techCode", "techInfo"),
    flag("cleared"),
    text("transactionId"),
    number("variableMonitoringId"),
    text("eventNotificationType"),
    number("variableId", refers="Variables.id"),
    number("componentId", refers="Components.id"),
    unique("stationId", "eventId"),
)

message_infos = table(
    "MessageInfos",
    key("databaseId"),
    text("stationId"),
    number("id"),
    texts("priority", "state"),
    moment("startDateTime"),
    moment("endDateTime"),
    text("transactionId"),
    json("message"),
    flag("active"),
    number("displayComponentId", refers="Components.id"),
    unique("stationId", "id"),
)
