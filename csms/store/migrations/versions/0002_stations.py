"""Stations, how they connect and how they are."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.String(32), "sqlite")
JSON = sa.JSON()
JSONB = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "Boots",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("lastBootTime", MOMENT, nullable=True),
        sa.Column("heartbeatInterval", sa.Integer(), nullable=True),
        sa.Column("bootRetryInterval", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=255), nullable=True),
        sa.Column("statusInfo", JSON, nullable=True),
        sa.Column("getBaseReportOnPending", sa.Boolean(), nullable=True),
        sa.Column("variablesRejectedOnLastBoot", JSON, nullable=True),
        sa.Column("bootWithRejectedVariables", sa.Boolean(), nullable=True),
        sa.Column("changeConfigurationsOnPending", sa.Boolean(), nullable=True),
        sa.Column("getConfigurationsOnPending", sa.Boolean(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="Boots_pkey"),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "Certificates",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("serialNumber", sa.BigInteger(), nullable=True),
        sa.Column("issuerName", sa.String(length=255), nullable=True),
        sa.Column("organizationName", sa.String(length=255), nullable=True),
        sa.Column("commonName", sa.String(length=255), nullable=True),
        sa.Column("keyLength", sa.Integer(), nullable=True),
        sa.Column("validBefore", MOMENT, nullable=True),
        sa.Column("signatureAlgorithm", sa.String(length=255), nullable=True),
        sa.Column("countryName", sa.String(length=255), nullable=True),
        sa.Column("isCA", sa.Boolean(), nullable=True),
        sa.Column("pathLen", sa.Integer(), nullable=True),
        sa.Column("certificateFileId", sa.String(length=255), nullable=True),
        sa.Column("privateKeyFileId", sa.String(length=255), nullable=True),
        sa.Column("signedBy", sa.String(length=255), nullable=True),
        sa.Column("certificateFileHash", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="Certificates_pkey"),
        sa.UniqueConstraint("certificateFileHash", name="Certificates_certificateFileHash_key"),
        sa.UniqueConstraint("serialNumber", "issuerName", name="Certificates_serialNumber_issuerName_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ChangeConfigurations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=50), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=True),
        sa.Column("readonly", sa.Boolean(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="ChangeConfigurations_pkey"),
        sa.UniqueConstraint("stationId", "key", name="ChangeConfigurations_stationId_key_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ChargingStationSecurityInfos",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("publicKeyFileId", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="ChargingStationSecurityInfos_pkey"),
        sa.UniqueConstraint("stationId", name="ChargingStationSecurityInfos_stationId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "EvseTypes",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("connectorId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("databaseId", name="EvseTypes_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "Locations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("city", sa.String(length=255), nullable=True),
        sa.Column("postalCode", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=255), nullable=True),
        sa.Column("country", sa.String(length=255), nullable=True),
        sa.Column("coordinates", JSON, nullable=True),
        sa.Column("publishUpstream", sa.Boolean(), server_default=sa.true(), nullable=True),
        sa.Column("timeZone", sa.String(length=255), server_default=sa.text("'UTC'"), nullable=True),
        sa.Column("parkingType", sa.String(length=255), nullable=True),
        sa.Column("facilities", JSONB, nullable=True),
        sa.Column("openingHours", JSONB, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="Locations_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ServerNetworkProfiles",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("pingInterval", sa.Integer(), nullable=True),
        sa.Column("protocol", sa.String(length=255), nullable=True),
        sa.Column("messageTimeout", sa.Integer(), nullable=True),
        sa.Column("securityProfile", sa.Integer(), nullable=True),
        sa.Column("allowUnknownChargingStations", sa.Boolean(), nullable=True),
        sa.Column("tlsKeyFilePath", sa.String(length=255), nullable=True),
        sa.Column("tlsCertificateChainFilePath", sa.String(length=255), nullable=True),
        sa.Column("mtlsCertificateAuthorityKeyFilePath", sa.String(length=255), nullable=True),
        sa.Column("rootCACertificateFilePath", sa.String(length=255), nullable=True),
        sa.Column("dynamicTenantResolution", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("maxConnectionsPerTenant", sa.Integer(), nullable=True),
        sa.Column("tenantPathMapping", JSONB, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="ServerNetworkProfiles_pkey"),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "ChargingStations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("isOnline", sa.Boolean(), nullable=True),
        sa.Column("protocol", sa.String(length=255), nullable=True),
        sa.Column("chargePointVendor", sa.String(length=20), nullable=True),
        sa.Column("chargePointModel", sa.String(length=20), nullable=True),
        sa.Column("chargePointSerialNumber", sa.String(length=25), nullable=True),
        sa.Column("chargeBoxSerialNumber", sa.String(length=25), nullable=True),
        sa.Column("firmwareVersion", sa.String(length=50), nullable=True),
        sa.Column("iccid", sa.String(length=20), nullable=True),
        sa.Column("imsi", sa.String(length=20), nullable=True),
        sa.Column("meterType", sa.String(length=25), nullable=True),
        sa.Column("meterSerialNumber", sa.String(length=25), nullable=True),
        sa.Column("locationId", sa.Integer(), nullable=True),
        sa.Column("coordinates", JSON, nullable=True),
        sa.Column("floorLevel", sa.String(length=255), nullable=True),
        sa.Column("parkingRestrictions", JSONB, nullable=True),
        sa.Column("capabilities", JSONB, nullable=True),
        sa.Column("use16StatusNotification0", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("latestOcppMessageTimestamp", MOMENT, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["locationId"], ["Locations.id"], name="ChargingStations_locationId_fkey"),
        sa.PrimaryKeyConstraint("id", name="ChargingStations_pkey"),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "InstalledCertificates",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=36), nullable=False),
        sa.Column("hashAlgorithm", sa.String(length=255), nullable=False),
        sa.Column("issuerNameHash", sa.String(length=255), nullable=False),
        sa.Column("issuerKeyHash", sa.String(length=255), nullable=False),
        sa.Column("serialNumber", sa.String(length=255), nullable=False),
        sa.Column("certificateType", sa.String(length=255), nullable=False),
        sa.Column("certificateId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificateId"], ["Certificates.id"], name="InstalledCertificates_certificateId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="InstalledCertificates_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "Reservations",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("expiryDateTime", MOMENT, nullable=True),
        sa.Column("connectorType", sa.String(length=255), nullable=True),
        sa.Column("reserveStatus", sa.String(length=255), nullable=True),
        sa.Column("isActive", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("terminatedByTransaction", sa.String(length=255), nullable=True),
        sa.Column("idToken", JSONB, nullable=True),
        sa.Column("groupIdToken", JSONB, nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["evseId"], ["EvseTypes.databaseId"], name="Reservations_evseId_fkey"),
        sa.PrimaryKeyConstraint("databaseId", name="Reservations_pkey"),
        sa.UniqueConstraint("id", "stationId", name="Reservations_id_stationId_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("Reservations_stationId_isActive_idx", "Reservations", ["stationId", "isActive"])
    op.create_table(
        "SetNetworkProfiles",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("correlationId", sa.String(length=255), nullable=True),
        sa.Column("websocketServerConfigId", sa.String(length=255), nullable=True),
        sa.Column("configurationSlot", sa.Integer(), nullable=True),
        sa.Column("ocppVersion", sa.String(length=255), nullable=True),
        sa.Column("ocppTransport", sa.String(length=255), nullable=True),
        sa.Column("ocppCsmsUrl", sa.String(length=255), nullable=True),
        sa.Column("messageTimeout", sa.Integer(), nullable=True),
        sa.Column("securityProfile", sa.Integer(), nullable=True),
        sa.Column("ocppInterface", sa.String(length=255), nullable=True),
        sa.Column("apn", sa.String(length=255), nullable=True),
        sa.Column("vpn", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["websocketServerConfigId"],
            ["ServerNetworkProfiles.id"],
            name="SetNetworkProfiles_websocketServerConfigId_fkey",
        ),
        sa.PrimaryKeyConstraint("id", name="SetNetworkProfiles_pkey"),
        sa.UniqueConstraint("correlationId", name="SetNetworkProfiles_correlationId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ChargingStationNetworkProfiles",
        sa.Column("stationId", sa.String(length=36), nullable=False),
        sa.Column("configurationSlot", sa.Integer(), nullable=True),
        sa.Column("setNetworkProfileId", sa.Integer(), nullable=False),
        sa.Column("websocketServerConfigId", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["setNetworkProfileId"],
            ["SetNetworkProfiles.id"],
            name="ChargingStationNetworkProfiles_setNetworkProfileId_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["stationId"], ["ChargingStations.id"], name="ChargingStationNetworkProfiles_stationId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["websocketServerConfigId"],
            ["ServerNetworkProfiles.id"],
            name="ChargingStationNetworkProfiles_websocketServerConfigId_fkey",
        ),
        sa.PrimaryKeyConstraint("stationId", "setNetworkProfileId", name="ChargingStationNetworkProfiles_pkey"),
        sa.UniqueConstraint("configurationSlot", name="ChargingStationNetworkProfiles_configurationSlot_key"),
        sa.UniqueConstraint(
            "stationId", "websocketServerConfigId", name="ChargingStationNetworkProfiles_station_server_key"
        ),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "ChargingStationSequences",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["stationId"], ["ChargingStations.id"], name="ChargingStationSequences_stationId_fkey"),
        sa.PrimaryKeyConstraint("id", name="ChargingStationSequences_pkey"),
        sa.UniqueConstraint("stationId", "type", name="ChargingStationSequences_stationId_type_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "DeleteCertificateAttempts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=36), nullable=False),
        sa.Column("hashAlgorithm", sa.String(length=255), nullable=False),
        sa.Column("issuerNameHash", sa.String(length=255), nullable=True),
        sa.Column("issuerKeyHash", sa.String(length=255), nullable=True),
        sa.Column("serialNumber", sa.String(length=255), nullable=True),
        sa.Column("status", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["stationId"], ["ChargingStations.id"], name="DeleteCertificateAttempts_stationId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="DeleteCertificateAttempts_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "Evses",
        sa.Column("stationId", sa.String(length=36), nullable=True),
        sa.Column("evseTypeId", sa.Integer(), nullable=True),
        sa.Column("evseId", sa.String(length=255), nullable=True),
        sa.Column("physicalReference", sa.String(length=255), nullable=True),
        sa.Column("removed", sa.Boolean(), nullable=True),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["stationId"], ["ChargingStations.id"], name="Evses_stationId_fkey"),
        sa.PrimaryKeyConstraint("id", name="Evses_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("Evses_stationId_idx", "Evses", ["stationId"])
    op.create_table(
        "InstallCertificateAttempts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=36), nullable=False),
        sa.Column("certificateType", sa.String(length=255), nullable=False),
        sa.Column("certificateId", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["certificateId"], ["Certificates.id"], name="InstallCertificateAttempts_certificateId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["stationId"], ["ChargingStations.id"], name="InstallCertificateAttempts_stationId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="InstallCertificateAttempts_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "StatusNotifications",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("connectorStatus", sa.String(length=255), nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("connectorId", sa.Integer(), nullable=True),
        sa.Column("errorCode", sa.String(length=255), nullable=True),
        sa.Column("info", sa.String(length=255), nullable=True),
        sa.Column("vendorId", sa.String(length=255), nullable=True),
        sa.Column("vendorErrorCode", sa.String(length=255), nullable=True),
        sa.Column("stationId", sa.String(length=36), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["stationId"], ["ChargingStations.id"], name="StatusNotifications_stationId_fkey"),
        sa.PrimaryKeyConstraint("id", name="StatusNotifications_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("StatusNotifications_stationId_timestamp_idx", "StatusNotifications", ["stationId", "timestamp"])
    op.create_table(
        "Connectors",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=False),
        sa.Column("connectorId", sa.Integer(), nullable=True),
        sa.Column("status", sa.String(length=255), server_default=sa.text("'Unknown'"), nullable=True),
        sa.Column("errorCode", sa.String(length=255), server_default=sa.text("'NoError'"), nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("info", sa.String(length=255), nullable=True),
        sa.Column("vendorId", sa.String(length=255), nullable=True),
        sa.Column("vendorErrorCode", sa.String(length=255), nullable=True),
        sa.Column("evseId", sa.Integer(), nullable=True),
        sa.Column("evseTypeConnectorId", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=255), nullable=True),
        sa.Column("format", sa.String(length=255), nullable=True),
        sa.Column("powerType", sa.String(length=255), nullable=True),
        sa.Column("maximumAmperage", sa.Integer(), nullable=True),
        sa.Column("maximumVoltage", sa.Integer(), nullable=True),
        sa.Column("maximumPowerWatts", sa.Integer(), nullable=True),
        sa.Column("termsAndConditionsUrl", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["evseId"], ["Evses.id"], name="Connectors_evseId_fkey"),
        sa.ForeignKeyConstraint(["stationId"], ["ChargingStations.id"], name="Connectors_stationId_fkey"),
        sa.PrimaryKeyConstraint("id", name="Connectors_pkey"),
        sa.UniqueConstraint("stationId", "connectorId", name="Connectors_stationId_connectorId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "LatestStatusNotifications",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=36), nullable=True),
        sa.Column("statusNotificationId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["stationId"], ["ChargingStations.id"], name="LatestStatusNotifications_stationId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["statusNotificationId"],
            ["StatusNotifications.id"],
            name="LatestStatusNotifications_statusNotificationId_fkey",
        ),
        sa.PrimaryKeyConstraint("id", name="LatestStatusNotifications_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("LatestStatusNotifications_stationId_idx", "LatestStatusNotifications", ["stationId"])


def downgrade() -> None:
    """Drops them."""
    op.drop_table("LatestStatusNotifications")
    op.drop_table("Connectors")
    op.drop_table("StatusNotifications")
    op.drop_table("InstallCertificateAttempts")
    op.drop_table("Evses")
    op.drop_table("DeleteCertificateAttempts")
    op.drop_table("ChargingStationSequences")
    op.drop_table("ChargingStationNetworkProfiles")
    op.drop_table("SetNetworkProfiles")
    op.drop_table("Reservations")
    op.drop_table("InstalledCertificates")
    op.drop_table("ChargingStations")
    op.drop_table("ServerNetworkProfiles")
    op.drop_table("Locations")
    op.drop_table("EvseTypes")
    op.drop_table("ChargingStationSecurityInfos")
    op.drop_table("ChangeConfigurations")
    op.drop_table("Certificates")
    op.drop_table("Boots")
