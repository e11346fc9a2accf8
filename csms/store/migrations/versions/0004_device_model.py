"""Components, variables and monitors of OCPP 2.x."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NUMERIC = sa.Numeric().with_variant(sa.REAL(), "sqlite")
MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.String(32), "sqlite")
JSON = sa.JSON()


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "Variables",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("instance", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="Variables_pkey"),
        sa.UniqueConstraint("name", "instance", name="Variables_name_instance_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "Components",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("instance", sa.String(length=255), nullable=True),
        sa.Column("evseDatabaseId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["evseDatabaseId"], ["EvseTypes.databaseId"], name="Components_evseDatabaseId_fkey"),
        sa.PrimaryKeyConstraint("id", name="Components_pkey"),
        sa.UniqueConstraint("name", "instance", name="Components_name_instance_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "VariableCharacteristics",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("unit", sa.String(length=255), nullable=True),
        sa.Column("dataType", sa.String(length=255), nullable=True),
        sa.Column("minLimit", NUMERIC, nullable=True),
        sa.Column("maxLimit", NUMERIC, nullable=True),
        sa.Column("valuesList", sa.String(length=4000), nullable=True),
        sa.Column("supportsMonitoring", sa.Boolean(), nullable=True),
        sa.Column("variableId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["variableId"], ["Variables.id"], name="VariableCharacteristics_variableId_fkey"),
        sa.PrimaryKeyConstraint("id", name="VariableCharacteristics_pkey"),
        sa.UniqueConstraint("variableId", name="VariableCharacteristics_variableId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "ComponentVariables",
        sa.Column("componentId", sa.Integer(), nullable=False),
        sa.Column("variableId", sa.Integer(), nullable=False),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["componentId"], ["Components.id"], name="ComponentVariables_componentId_fkey"),
        sa.ForeignKeyConstraint(["variableId"], ["Variables.id"], name="ComponentVariables_variableId_fkey"),
        sa.PrimaryKeyConstraint("componentId", "variableId", name="ComponentVariables_pkey"),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "EventData",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("eventId", sa.Integer(), nullable=True),
        sa.Column("trigger", sa.String(length=255), nullable=True),
        sa.Column("cause", sa.Integer(), nullable=True),
        sa.Column("timestamp", MOMENT, nullable=True),
        sa.Column("actualValue", sa.String(length=255), nullable=True),
        sa.Column("techCode", sa.String(length=255), nullable=True),
        sa.Column("techInfo", sa.String(length=255), nullable=True),
        sa.Column("cleared", sa.Boolean(), nullable=True),
        sa.Column("transactionId", sa.String(length=255), nullable=True),
        sa.Column("variableMonitoringId", sa.Integer(), nullable=True),
        sa.Column("eventNotificationType", sa.String(length=255), nullable=True),
        sa.Column("variableId", sa.Integer(), nullable=True),
        sa.Column("componentId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["componentId"], ["Components.id"], name="EventData_componentId_fkey"),
        sa.ForeignKeyConstraint(["variableId"], ["Variables.id"], name="EventData_variableId_fkey"),
        sa.PrimaryKeyConstraint("id", name="EventData_pkey"),
        sa.UniqueConstraint("stationId", "eventId", name="EventData_stationId_eventId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "MessageInfos",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("priority", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=255), nullable=True),
        sa.Column("startDateTime", MOMENT, nullable=True),
        sa.Column("endDateTime", MOMENT, nullable=True),
        sa.Column("transactionId", sa.String(length=255), nullable=True),
        sa.Column("message", JSON, nullable=True),
        sa.Column("active", sa.Boolean(), nullable=True),
        sa.Column("displayComponentId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["displayComponentId"], ["Components.id"], name="MessageInfos_displayComponentId_fkey"),
        sa.PrimaryKeyConstraint("databaseId", name="MessageInfos_pkey"),
        sa.UniqueConstraint("stationId", "id", name="MessageInfos_stationId_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "VariableAttributes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=255), server_default=sa.text("'Actual'"), nullable=True),
        sa.Column("dataType", sa.String(length=255), server_default=sa.text("'string'"), nullable=True),
        sa.Column("value", sa.String(length=4000), nullable=True),
        sa.Column("mutability", sa.String(length=255), server_default=sa.text("'ReadWrite'"), nullable=True),
        sa.Column("persistent", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("constant", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("generatedAt", MOMENT, nullable=True),
        sa.Column("variableId", sa.Integer(), nullable=True),
        sa.Column("componentId", sa.Integer(), nullable=True),
        sa.Column("evseDatabaseId", sa.Integer(), nullable=True),
        sa.Column("bootConfigId", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["bootConfigId"], ["Boots.id"], name="VariableAttributes_bootConfigId_fkey"),
        sa.ForeignKeyConstraint(["componentId"], ["Components.id"], name="VariableAttributes_componentId_fkey"),
        sa.ForeignKeyConstraint(
            ["evseDatabaseId"], ["EvseTypes.databaseId"], name="VariableAttributes_evseDatabaseId_fkey"
        ),
        sa.ForeignKeyConstraint(["stationId"], ["ChargingStations.id"], name="VariableAttributes_stationId_fkey"),
        sa.ForeignKeyConstraint(["variableId"], ["Variables.id"], name="VariableAttributes_variableId_fkey"),
        sa.PrimaryKeyConstraint("id", name="VariableAttributes_pkey"),
        sa.UniqueConstraint(
            "stationId",
            "type",
            "variableId",
            "componentId",
            name="VariableAttributes_stationId_type_variableId_componentId_key",
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "VariableMonitorings",
        sa.Column("databaseId", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("id", sa.Integer(), nullable=True),
        sa.Column("transaction", sa.Boolean(), nullable=True),
        sa.Column("value", sa.Integer(), nullable=True),
        sa.Column("type", sa.String(length=255), nullable=True),
        sa.Column("severity", sa.Integer(), nullable=True),
        sa.Column("variableId", sa.Integer(), nullable=True),
        sa.Column("componentId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(["componentId"], ["Components.id"], name="VariableMonitorings_componentId_fkey"),
        sa.ForeignKeyConstraint(["variableId"], ["Variables.id"], name="VariableMonitorings_variableId_fkey"),
        sa.PrimaryKeyConstraint("databaseId", name="VariableMonitorings_pkey"),
        sa.UniqueConstraint("stationId", "id", name="VariableMonitorings_stationId_id_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "VariableMonitoringStatuses",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("status", sa.String(length=255), nullable=True),
        sa.Column("statusInfo", JSON, nullable=True),
        sa.Column("variableMonitoringId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["variableMonitoringId"],
            ["VariableMonitorings.databaseId"],
            name="VariableMonitoringStatuses_variableMonitoringId_fkey",
        ),
        sa.PrimaryKeyConstraint("id", name="VariableMonitoringStatuses_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "VariableStatuses",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("value", sa.String(length=4000), nullable=True),
        sa.Column("status", sa.String(length=255), nullable=True),
        sa.Column("statusInfo", JSON, nullable=True),
        sa.Column("variableAttributeId", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["variableAttributeId"], ["VariableAttributes.id"], name="VariableStatuses_variableAttributeId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="VariableStatuses_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("VariableStatuses_variableAttributeId_idx", "VariableStatuses", ["variableAttributeId"])


def downgrade() -> None:
    """Drops them."""
    op.drop_table("VariableStatuses")
    op.drop_table("VariableMonitoringStatuses")
    op.drop_table("VariableMonitorings")
    op.drop_table("VariableAttributes")
    op.drop_table("MessageInfos")
    op.drop_table("EventData")
    op.drop_table("ComponentVariables")
    op.drop_table("VariableCharacteristics")
    op.drop_table("Components")
    op.drop_table("Variables")
