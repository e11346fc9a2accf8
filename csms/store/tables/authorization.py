"""Who may charge."""

from csms.store.tables.columns import (
    caseless,
    flag,
    index,
    json,
    jsonb,
    key,
    moment,
    number,
    table,
    text,
    texts,
    unique,
    words,
)

authorizations = table(
    "Authorizations",
    key(),
    words("allowedConnectorTypes", "disallowedEvseIdPrefixes"),
    flag("concurrentTransaction", default=False),
    text("realTimeAuth", default="Never", required=True),
    text("realTimeAuthUrl"),
    caseless("idToken"),
    text("idTokenType"),
    jsonb("additionalInfo"),
    text("status", default="Accepted", required=True),
    moment("cacheExpiryDateTime"),
    number("chargingPriority"),
    texts("language1", "language2"),
    json("personalMessage"),
    jsonb("customData"),
    number("groupAuthorizationId", refers="Authorizations.id"),
    number("tenantPartnerId", refers="TenantPartners.id"),
    jsonb("realTimeAuthLastAttempt"),
    number("realTimeAuthTimeout"),
    index("idToken"),
)

local_list_versions = table(
    "LocalListVersions",
    key(),
    text("stationId"),
    number("versionNumber"),
    unique("stationId"),
)

local_list_authorizations = table(
    "LocalListAuthorizations",
    key(),
    words("allowedConnectorTypes", "disallowedEvseIdPrefixes"),
    number("authorizationId", refers="Authorizations.id"),
    number("groupAuthorizationId", refers="Authorizations.id"),
    text("idToken", required=True),
    text("idTokenType"),
    jsonb("additionalInfo"),
    text("status", default="Accepted", required=True),
    moment("cacheExpiryDateTime"),
    number("chargingPriority"),
    texts("language1", "language2"),
    json("personalMessage"),
    jsonb("customData"),
    index("authorizationId"),
)

local_list_version_authorizations = table(
    "LocalListVersionAuthorizations",
    number("localListVersionId", refers="LocalListVersions.id", primary=True),
    number("authorizationId", refers="LocalListAuthorizations.id", primary=True),
)

send_local_lists = table(
    "SendLocalLists",
    key(),
    texts("stationId", "correlationId"),
    number("versionNumber"),
    text("updateType"),
)

send_local_list_authorizations = table(
    "SendLocalListAuthorizations",
    number("sendLocalListId", refers="SendLocalLists.id", primary=True),
    number("authorizationId", refers="LocalListAuthorizations.id", primary=True),
)
