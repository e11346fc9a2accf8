"""The charging stations: where they are, what they are made of, how they are."""

from csms.store.tables.columns import (
    flag,
    flags,
    index,
    json,
    jsonb,
    key,
    long_number,
    moment,
    number,
    numbers,
    point,
    table,
    text,
    texts,
    unique,
)

locations = table(
    "Locations",
    key(),
    texts("name", "address", "city", "postalCode", "state", "country"),
    point("coordinates"),
    flag("publishUpstream", default=True),
    text("timeZone", default="UTC"),
    text("parkingType"),
    jsonb("facilities", "openingHours"),
)

charging_stations = table(
    "ChargingStations",
    text("id", 36, primary=True),
    flag("isOnline"),
    text("protocol"),
    texts("chargePointVendor", "chargePointModel", size=20),
    texts("chargePointSerialNumber", "chargeBoxSerialNumber", size=25),
    text("firmwareVersion", 50),
    texts("iccid", "imsi", size=20),
    texts("meterType", "meterSerialNumber", size=25),
    number("locationId", refers="Locations.id"),
    point("coordinates"),
    text("floorLevel"),
    jsonb("parkingRestrictions", "capabilities"),
    flag("use16StatusNotification0", default=True, required=True),
    moment("latestOcppMessageTimestamp"),
)

evse_types = table(
    "EvseTypes",
    key("databaseId"),
    numbers("id", "connectorId"),
)

evses = table(
    "Evses",
    text("stationId", 36, refers="ChargingStations.id"),
    number("evseTypeId"),
    texts("evseId", "physicalReference"),
    flag("removed"),
    key(),
    index("stationId"),
)

connectors = table(
    "Connectors",
    key(),
    text("stationId", refers="ChargingStations.id", required=True),
    number("connectorId"),
    text("status", default="Unknown"),
    text("errorCode", default="NoError"),
    moment("timestamp"),
    texts("info", "vendorId", "vendorErrorCode"),
    number("evseId", refers="Evses.id"),
    number("evseTypeConnectorId"),
    texts("type", "format", "powerType"),
    numbers("maximumAmperage", "maximumVoltage", "maximumPowerWatts"),
    text("termsAndConditionsUrl"),
    unique("stationId", "connectorId"),
)

status_notifications = table(
    "StatusNotifications",
    key(),
    moment("timestamp"),
    text("connectorStatus"),
    numbers("evseId", "connectorId"),
    texts("errorCode", "info", "vendorId", "vendorErrorCode"),
    text("stationId", 36, refers="ChargingStations.id"),
    index("stationId", "timestamp"),
)

latest_status_notifications = table(
    "LatestStatusNotifications",
    key(),
    text("stationId", 36, refers="ChargingStations.id"),
    number("statusNotificationId", refers="StatusNotifications.id"),
    index("stationId"),
)

boots = table(
    "Boots",
    text("id", primary=True),
    moment("lastBootTime"),
    numbers("heartbeatInterval", "bootRetryInterval"),
    text("status"),
    json("statusInfo"),
    flag("getBaseReportOnPending"),
    json("variablesRejectedOnLastBoot"),
    flags("bootWithRejectedVariables", "changeConfigurationsOnPending"),
    flag("getConfigurationsOnPending"),
)

change_configurations = table(
    "ChangeConfigurations",
    key(),
    text("stationId", required=True),
    text("key", 50, required=True),
    text("value", 500),
    flag("readonly"),
    unique("stationId", "key"),
)

charging_station_sequences = table(
    "ChargingStationSequences",
    key(),
    text("stationId", 36, refers="ChargingStations.id", required=True),
    text("type", required=True),
    long_number("value", default=0, required=True),
    unique("stationId", "type"),
)

reservations = table(
    "Reservations",
    key("databaseId"),
    number("id"),
    text("stationId"),
    moment("expiryDateTime"),
    texts("connectorType", "reserveStatus"),
    flag("isActive", default=False),
    text("terminatedByTransaction"),
    jsonb("idToken", "groupIdToken"),
    number("evseId", refers="EvseTypes.databaseId"),
    unique("id", "stationId"),
    index("stationId", "isActive"),
)
