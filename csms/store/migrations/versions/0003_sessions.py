"""Transactions, meter values, charging profiles, OCPP messages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMERIC = sa.Numeric().with_variant(sa.REAL(), "sqlite")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.String(32), "sqlite")
JSON = sa.JSON()
JSONB = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "CompositeSchedules",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("scheduleStart", MOMENT, nullable=True),
        sa.Column("chargingRateUnit", sa.String(length=255), nullable=True),
        sa.Column("chargingSchedulePeriod", JSONB, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="CompositeSchedules_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("CompositeSchedules_stationId_idx", "CompositeSchedules", ["stationId"])
    op.create_table(
        "OCPPMessages",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("correlationId", sa.String(length=255), nullable=True),
        sa.Column("origin", sa.String(length=255), nullable=True),
        sa.Column("protocol", sa.String(length=255), nullable=True),
        sa.Column("action", sa.String(length=255), nullable=True),
        sa.Column("message", JSONB, nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("state", sa.String(length=255), nullable=True),
        sa.Column("requestMessageId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["requestMessageId"], ["OCPPMessages.id"], name="OCPPMessages_requestMessageId_fkey"),
        sa.PrimaryKeyConstraint("id", name="OCPPMessages_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("OCPPMessages_correlationId_idx", "OCPPMessages", ["correlationId"])
    op.create_index("OCPPMessages_requestMessageId_idx", "OCPPMessages", ["requestMessageId"])
    op.create_index("OCPPMessages_stationId_timestamp_idx", "OCPPMessages", ["stationId", "timestamp"])
    op.create_table(
        "SecurityEvents",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("type", sa.String(length=255), nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("techInfo", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="SecurityEvents_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("SecurityEvents_stationId_timestamp_idx", "SecurityEvents", ["stationId", "timestamp"])
    op.create_table(
        "Subscriptions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("onConnect", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("onClose", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("onMessage", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("sentMessage", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("messageRegexFilter", sa.String(length=255), nullable=True),
        sa.Column("url", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="Subscriptions_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("Subscriptions_stationId_idx", "Subscriptions", ["stationId"])
    op.create_table(
        "Tariffs",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("currency", sa.CHAR(length=3), nullable=False),
        sa.Column("pricePerKwh", NUMERIC, nullable=False),
        sa.Column("pricePerMin", NUMERIC, nullable=True),
        sa.Column("pricePerSession", NUMERIC, nullable=True),
        sa.Column("authorizationAmount", NUMERIC, nullable=True),
        sa.Column("paymentFee", NUMERIC, nullable=True),
        sa.Column("taxRate", NUMERIC, nullable=True),
        sa.Column("connectorId", sa.Integer(), nullable=True),
        sa.Column("tariffAltText", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["connectorId"], ["Connectors.id"], name="Tariffs_connectorId_fkey"),
        sa.PrimaryKeyConstraint("id", name="Tariffs_pkey"),
        sa.UniqueConstraint("stationId", name="Tariffs_stationId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "Transactions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("transactionId", sa.String(length=255), nullable=True),
        sa.Column("isActive", sa.Boolean(), nullable=True),
        sa.Column("chargingState", sa.String(length=255), nullable=True),
        sa.Column("timeSpentCharging", sa.BigInteger(), nullable=True),
        sa.Column("totalKwh", NUMERIC, nullable=True),
        sa.Column("stoppedReason", sa.String(length=255), nullable=True),
        sa.Column("remoteStartId", sa.Integer(), nullable=True),
        sa.Column("totalCost", NUMERIC, nullable=True),
        sa.Column("locationId", sa.Integer(), nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("connectorId", sa.Integer(), nullable=True),
        sa.Column("authorizationId", sa.Integer(), nullable=True),
        sa.Column("tariffId", sa.Integer(), nullable=True),
        sa.Column("startTime", MOMENT, nullable=True),
        sa.Column("endTime", MOMENT, nullable=True),
        sa.Column("customData", JSONB, nullable=True),
        sa.Column("meterStart", NUMERIC, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["authorizationId"], ["Authorizations.id"], name="Transactions_authorizationId_fkey"),
        sa.ForeignKeyConstraint(["connectorId"], ["Connectors.id"], name="Transactions_connectorId_fkey"),
        sa.ForeignKeyConstraint(["evseId"], ["Evses.id"], name="Transactions_evseId_fkey"),
        sa.ForeignKeyConstraint(["locationId"], ["Locations.id"], name="Transactions_locationId_fkey"),
        sa.ForeignKeyConstraint(["stationId"], ["ChargingStations.id"], name="Transactions_stationId_fkey"),
        sa.ForeignKeyConstraint(["tariffId"], ["Tariffs.id"], name="Transactions_tariffId_fkey"),
        sa.PrimaryKeyConstraint("id", name="Transactions_pkey"),
        sa.UniqueConstraint("stationId", "transactionId", name="Transactions_stationId_transactionId_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("Transactions_authorizationId_idx", "Transactions", ["authorizationId"])
    op.create_index("Transactions_connectorId_idx", "Transactions", ["connectorId"])
    op.create_index("Transactions_isActive_idx", "Transactions", ["isActive"])
    op.create_table(
        "ChargingNeeds",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("acChargingParameters", JSONB, nullable=True),
        sa.Column("dcChargingParameters", JSONB, nullable=True),
        sa.Column("departureTime", MOMENT, nullable=True),
        sa.Column("requestedEnergyTransfer", sa.String(length=255), nullable=True),
        sa.Column("maxScheduleTuples", sa.Integer(), nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("transactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["evseId"], ["Evses.id"], name="ChargingNeeds_evseId_fkey"),
        sa.ForeignKeyConstraint(
            ["transactionDatabaseId"], ["Transactions.id"], name="ChargingNeeds_transactionDatabaseId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="ChargingNeeds_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("ChargingNeeds_transactionDatabaseId_idx", "ChargingNeeds", ["transactionDatabaseId"])
    op.create_table(
        "ChargingProfiles",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("chargingProfileKind", sa.String(length=255), nullable=True),
        sa.Column("chargingProfilePurpose", sa.String(length=255), nullable=True),
        sa.Column("recurrencyKind", sa.String(length=255), nullable=True),
        sa.Column("stackLevel", sa.Integer(), nullable=True),
        sa.Column("validFrom", MOMENT, nullable=True),
        sa.Column("validTo", MOMENT, nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("isActive", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("chargingLimitSource", sa.String(length=255), server_default=sa.text("'CSO'"), nullable=True),
        sa.Column("transactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["transactionDatabaseId"], ["Transactions.id"], name="ChargingProfiles_transactionDatabaseId_fkey"
        ),
        sa.PrimaryKeyConstraint("databaseId", name="ChargingProfiles_pkey"),
        sa.UniqueConstraint("stationId", "id", name="ChargingProfiles_stationId_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ChargingProfiles_transactionDatabaseId_idx", "ChargingProfiles", ["transactionDatabaseId"])
    op.create_table(
        "StartTransactions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("meterStart", sa.Integer(), nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("reservationId", sa.Integer(), nullable=True),
        sa.Column("transactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("idTokenDatabaseId", sa.Integer(), nullable=True),
        sa.Column("connectorDatabaseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["connectorDatabaseId"], ["Connectors.id"], name="StartTransactions_connectorDatabaseId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["transactionDatabaseId"], ["Transactions.id"], name="StartTransactions_transactionDatabaseId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="StartTransactions_pkey"),
        sa.UniqueConstraint("transactionDatabaseId", name="StartTransactions_transactionDatabaseId_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("StartTransactions_connectorDatabaseId_idx", "StartTransactions", ["connectorDatabaseId"])
    op.create_table(
        "StopTransactions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("transactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("meterStop", sa.Integer(), nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("reason", sa.String(length=255), nullable=True),
        sa.Column("idTokenValue", sa.String(length=255), nullable=True),
        sa.Column("idTokenType", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["transactionDatabaseId"], ["Transactions.id"], name="StopTransactions_transactionDatabaseId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="StopTransactions_pkey"),
        sa.UniqueConstraint("transactionDatabaseId", name="StopTransactions_transactionDatabaseId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "TransactionEvents",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("eventType", sa.String(length=255), nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("triggerReason", sa.String(length=255), nullable=True),
        sa.Column("seqNo", sa.Integer(), nullable=True),
        sa.Column("offline", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("numberOfPhasesUsed", sa.Integer(), nullable=True),
        sa.Column("cableMaxCurrent", NUMERIC, nullable=True),
        sa.Column("reservationId", sa.Integer(), nullable=True),
        sa.Column("transactionInfo", JSON, nullable=True),
        sa.Column("transactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("idTokenValue", sa.String(length=255), nullable=True),
        sa.Column("idTokenType", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["evseId"], ["EvseTypes.databaseId"], name="TransactionEvents_evseId_fkey"),
        sa.ForeignKeyConstraint(
            ["transactionDatabaseId"], ["Transactions.id"], name="TransactionEvents_transactionDatabaseId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="TransactionEvents_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("TransactionEvents_transactionDatabaseId_idx", "TransactionEvents", ["transactionDatabaseId"])
    op.create_table(
        "ChargingSchedules",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("chargingRateUnit", sa.String(length=255), nullable=True),
        sa.Column("chargingSchedulePeriod", JSONB, nullable=True),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("minChargingRate", NUMERIC, nullable=True),
        sa.Column("startSchedule", sa.String(length=255), nullable=True),
        sa.Column("timeBase", MOMENT, nullable=True),
        sa.Column("chargingProfileDatabaseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["chargingProfileDatabaseId"],
            ["ChargingProfiles.databaseId"],
            name="ChargingSchedules_chargingProfileDatabaseId_fkey",
        ),
        sa.PrimaryKeyConstraint("databaseId", name="ChargingSchedules_pkey"),
        sa.UniqueConstraint("id", "stationId", name="ChargingSchedules_id_stationId_key"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ChargingSchedules_chargingProfileDatabaseId_idx", "ChargingSchedules", ["chargingProfileDatabaseId"]
    )
    op.create_table(
        "MeterValues",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("transactionEventId", sa.Integer(), nullable=True),
        sa.Column("transactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("stopTransactionDatabaseId", sa.Integer(), nullable=True),
        sa.Column("sampledValue", JSON, nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("connectorId", sa.Integer(), nullable=True),
        sa.Column("customData", JSONB, nullable=True),
        sa.Column("tariffId", sa.Integer(), nullable=True),
        sa.Column("transactionId", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["stopTransactionDatabaseId"], ["StopTransactions.id"], name="MeterValues_stopTransactionDatabaseId_fkey"
        ),
        sa.ForeignKeyConstraint(["tariffId"], ["Tariffs.id"], name="MeterValues_tariffId_fkey"),
        sa.ForeignKeyConstraint(
            ["transactionDatabaseId"], ["Transactions.id"], name="MeterValues_transactionDatabaseId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["transactionEventId"], ["TransactionEvents.id"], name="MeterValues_transactionEventId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="MeterValues_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("MeterValues_stopTransactionDatabaseId_idx", "MeterValues", ["stopTransactionDatabaseId"])
    op.create_index(
        "MeterValues_transactionDatabaseId_timestamp_idx", "MeterValues", ["transactionDatabaseId", "timestamp"]
    )
    op.create_index("MeterValues_transactionEventId_idx", "MeterValues", ["transactionEventId"])
    op.create_table(
        "SalesTariffs",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("numEPriceLevels", sa.Integer(), nullable=True),
        sa.Column("salesTariffDescription", sa.String(length=255), nullable=True),
        sa.Column("salesTariffEntry", JSONB, nullable=True),
        sa.Column("chargingScheduleDatabaseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["chargingScheduleDatabaseId"],
            ["ChargingSchedules.databaseId"],
            name="SalesTariffs_chargingScheduleDatabaseId_fkey",
        ),
        sa.PrimaryKeyConstraint("databaseId", name="SalesTariffs_pkey"),
        sa.UniqueConstraint("id", "chargingScheduleDatabaseId", name="SalesTariffs_id_chargingScheduleDatabaseId_key"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("SalesTariffs")
    op.drop_table("MeterValues")
    op.drop_table("ChargingSchedules")
    op.drop_table("TransactionEvents")
    op.drop_table("StopTransactions")
    op.drop_table("StartTransactions")
    op.drop_table("ChargingProfiles")
    op.drop_table("ChargingNeeds")
    op.drop_table("Transactions")
    op.drop_table("Tariffs")
    op.drop_table("Subscriptions")
    op.drop_table("SecurityEvents")
    op.drop_table("OCPPMessages")
    op.drop_table("CompositeSchedules")
