"""Charging profiles and what EVs ask for."""

from csms.store.tables.columns import (
    decimal,
    flag,
    index,
    jsonb,
    key,
    moment,
    number,
    numbers,
    table,
    text,
    texts,
    unique,
)

charging_profiles = table(
    "ChargingProfiles",
    key("databaseId"),
    text("stationId"),
    number("id"),
    texts("chargingProfileKind", "chargingProfilePurpose", "recurrencyKind"),
    number("stackLevel"),
    moment("validFrom"),
    moment("validTo"),
    number("evseId"),
    flag("isActive", default=False),
    text("chargingLimitSource", default="CSO"),
    number("transactionDatabaseId", refers="Transactions.id"),
    unique("stationId", "id"),
    index("transactionDatabaseId"),
)

charging_schedules = table(
    "ChargingSchedules",
    key("databaseId"),
    number("id"),
    texts("stationId", "chargingRateUnit"),
    jsonb("chargingSchedulePeriod"),
    number("duration"),
    decimal("minChargingRate"),
    text("startSchedule"),
    moment("timeBase"),
    number("chargingProfileDatabaseId", refers="ChargingProfiles.databaseId"),
    unique("id", "stationId"),
    index("chargingProfileDatabaseId"),
)

sales_tariffs = table(
    "SalesTariffs",
    key("databaseId"),
    numbers("id", "numEPriceLevels"),
    text("salesTariffDescription"),
    jsonb("salesTariffEntry"),
    number("chargingScheduleDatabaseId", refers="ChargingSchedules.databaseId"),
    unique("id", "chargingScheduleDatabaseId"),
)

charging_needs = table(
    "ChargingNeeds",
    key(),
    jsonb("acChargingParameters", "dcChargingParameters"),
    moment("departureTime"),
    text("requestedEnergyTransfer"),
    number("maxScheduleTuples"),
    number("evseId", refers="Evses.id"),
    number("transactionDatabaseId", refers="Transactions.id"),
    index("transactionDatabaseId"),
)

composite_schedules = table(
    "CompositeSchedules",
    key(),
    text("stationId"),
    numbers("evseId", "duration"),
    moment("scheduleStart"),
    text("chargingRateUnit"),
    jsonb("chargingSchedulePeriod"),
    index("stationId"),
)
