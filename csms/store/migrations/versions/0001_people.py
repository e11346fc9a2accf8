"""Tenants, authorizations and local lists."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from csms.store.migrations import citext

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.TIMESTAMP(timezone=True).with_variant(sa.String(32), "sqlite")
WORDS = sa.ARRAY(sa.String(255)).with_variant(sa.JSON(), "sqlite")
JSON = sa.JSON()
JSONB = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
CITEXT = sa.String(255, collation="NOCASE").with_variant(postgresql.CITEXT(), "postgresql")


def upgrade() -> None:
    """Creates the tables."""
    citext.provide(op.get_bind())
    op.create_table(
        "LocalListVersions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("versionNumber", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="LocalListVersions_pkey"),
        sa.UniqueConstraint("stationId", name="LocalListVersions_stationId_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "SendLocalLists",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("stationId", sa.String(length=255), nullable=True),
        sa.Column("correlationId", sa.String(length=255), nullable=True),
        sa.Column("versionNumber", sa.Integer(), nullable=True),
        sa.Column("updateType", sa.String(length=255), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="SendLocalLists_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "TenantPartners",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("partyId", sa.String(length=255), nullable=False),
        sa.Column("countryCode", sa.String(length=255), nullable=False),
        sa.Column("partnerProfileOCPI", JSONB, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="TenantPartners_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "Tenants",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("partyId", sa.String(length=255), nullable=True),
        sa.Column("countryCode", sa.String(length=255), nullable=True),
        sa.Column("url", sa.String(length=255), nullable=True),
        sa.Column("serverProfileOCPI", JSONB, nullable=True),
        sa.Column("isUserTenant", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="Tenants_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "AsyncJobStatuses",
        sa.Column("jobId", sa.String(length=255), nullable=False),
        sa.Column("jobName", sa.String(length=255), nullable=False),
        sa.Column("tenantPartnerId", sa.Integer(), nullable=False),
        sa.Column("finishedAt", MOMENT, nullable=True),
        sa.Column("stoppedAt", MOMENT, nullable=True),
        sa.Column("stopScheduled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("isFailed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("paginationParams", JSON, nullable=False),
        sa.Column("totalObjects", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["tenantPartnerId"], ["TenantPartners.id"], name="AsyncJobStatuses_tenantPartnerId_fkey"
        ),
        sa.PrimaryKeyConstraint("jobId", name="AsyncJobStatuses_pkey"),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "Authorizations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("allowedConnectorTypes", WORDS, nullable=True),
        sa.Column("disallowedEvseIdPrefixes", WORDS, nullable=True),
        sa.Column("concurrentTransaction", sa.Boolean(), server_default=sa.false(), nullable=True),
        sa.Column("realTimeAuth", sa.String(length=255), server_default=sa.text("'Never'"), nullable=False),
        sa.Column("realTimeAuthUrl", sa.String(length=255), nullable=True),
        sa.Column("idToken", CITEXT, nullable=False),
        sa.Column("idTokenType", sa.String(length=255), nullable=True),
        sa.Column("additionalInfo", JSONB, nullable=True),
        sa.Column("status", sa.String(length=255), server_default=sa.text("'Accepted'"), nullable=False),
        sa.Column("cacheExpiryDateTime", MOMENT, nullable=True),
        sa.Column("chargingPriority", sa.Integer(), nullable=True),
        sa.Column("language1", sa.String(length=255), nullable=True),
        sa.Column("language2", sa.String(length=255), nullable=True),
        sa.Column("personalMessage", JSON, nullable=True),
        sa.Column("customData", JSONB, nullable=True),
        sa.Column("groupAuthorizationId", sa.Integer(), nullable=True),
        sa.Column("tenantPartnerId", sa.Integer(), nullable=True),
        sa.Column("realTimeAuthLastAttempt", JSONB, nullable=True),
        sa.Column("realTimeAuthTimeout", sa.Integer(), nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["groupAuthorizationId"], ["Authorizations.id"], name="Authorizations_groupAuthorizationId_fkey"
        ),
        sa.ForeignKeyConstraint(["tenantPartnerId"], ["TenantPartners.id"], name="Authorizations_tenantPartnerId_fkey"),
        sa.PrimaryKeyConstraint("id", name="Authorizations_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("Authorizations_idToken_idx", "Authorizations", ["idToken"])
    op.create_table(
        "LocalListAuthorizations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("allowedConnectorTypes", WORDS, nullable=True),
        sa.Column("disallowedEvseIdPrefixes", WORDS, nullable=True),
        sa.Column("authorizationId", sa.Integer(), nullable=True),
        sa.Column("groupAuthorizationId", sa.Integer(), nullable=True),
        sa.Column("idToken", sa.String(length=255), nullable=False),
        sa.Column("idTokenType", sa.String(length=255), nullable=True),
        sa.Column("additionalInfo", JSONB, nullable=True),
        sa.Column("status", sa.String(length=255), server_default=sa.text("'Accepted'"), nullable=False),
        sa.Column("cacheExpiryDateTime", MOMENT, nullable=True),
        sa.Column("chargingPriority", sa.Integer(), nullable=True),
        sa.Column("language1", sa.String(length=255), nullable=True),
        sa.Column("language2", sa.String(length=255), nullable=True),
        sa.Column("personalMessage", JSON, nullable=True),
        sa.Column("customData", JSONB, nullable=True),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizationId"], ["Authorizations.id"], name="LocalListAuthorizations_authorizationId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["groupAuthorizationId"], ["Authorizations.id"], name="LocalListAuthorizations_groupAuthorizationId_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="LocalListAuthorizations_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("LocalListAuthorizations_authorizationId_idx", "LocalListAuthorizations", ["authorizationId"])
    op.create_table(
        "LocalListVersionAuthorizations",
        sa.Column("localListVersionId", sa.Integer(), nullable=False),
        sa.Column("authorizationId", sa.Integer(), nullable=False),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizationId"],
            ["LocalListAuthorizations.id"],
            name="LocalListVersionAuthorizations_authorizationId_fkey",
        ),
        sa.ForeignKeyConstraint(
            ["localListVersionId"],
            ["LocalListVersions.id"],
            name="LocalListVersionAuthorizations_localListVersionId_fkey",
        ),
        sa.PrimaryKeyConstraint("localListVersionId", "authorizationId", name="LocalListVersionAuthorizations_pkey"),
        sqlite_autoincrement=False,
    )
    op.create_table(
        "SendLocalListAuthorizations",
        sa.Column("sendLocalListId", sa.Integer(), nullable=False),
        sa.Column("authorizationId", sa.Integer(), nullable=False),
        sa.Column("createdAt", MOMENT, nullable=False),
        sa.Column("updatedAt", MOMENT, nullable=False),
        sa.Column("tenantId", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizationId"], ["LocalListAuthorizations.id"], name="SendLocalListAuthorizations_authorizationId_fkey"
        ),
        sa.ForeignKeyConstraint(
            ["sendLocalListId"], ["SendLocalLists.id"], name="SendLocalListAuthorizations_sendLocalListId_fkey"
        ),
        sa.PrimaryKeyConstraint("sendLocalListId", "authorizationId", name="SendLocalListAuthorizations_pkey"),
        sqlite_autoincrement=False,
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("SendLocalListAuthorizations")
    op.drop_table("LocalListVersionAuthorizations")
    op.drop_table("LocalListAuthorizations")
    op.drop_table("Authorizations")
    op.drop_table("AsyncJobStatuses")
    op.drop_table("Tenants")
    op.drop_table("TenantPartners")
    op.drop_table("SendLocalLists")
    op.drop_table("LocalListVersions")
