"""How stations connect and prove who they are."""

from csms.store.tables.columns import flag, jsonb, key, long_number, moment, number, numbers, table, text, texts, unique

server_network_profiles = table(
    "ServerNetworkProfiles",
    text("id", primary=True),
    text("host"),
    numbers("port", "pingInterval"),
    text("protocol"),
    numbers("messageTimeout", "securityProfile"),
    flag("allowUnknownChargingStations"),
    texts("tlsKeyFilePath", "tlsCertificateChainFilePath"),
    texts("mtlsCertificateAuthorityKeyFilePath", "rootCACertificateFilePath"),
    flag("dynamicTenantResolution", default=False, required=True),
    number("maxConnectionsPerTenant"),
    jsonb("tenantPathMapping"),
)

set_network_profiles = table(
    "SetNetworkProfiles",
    key(),
    texts("stationId", "correlationId"),
    text("websocketServerConfigId", refers="ServerNetworkProfiles.id"),
    number("configurationSlot"),
    texts("ocppVersion", "ocppTransport", "ocppCsmsUrl"),
    numbers("messageTimeout", "securityProfile"),
    texts("ocppInterface", "apn", "vpn"),
    unique("correlationId"),
)

charging_station_network_profiles = table(
    "ChargingStationNetworkProfiles",
    text("stationId", 36, refers="ChargingStations.id", primary=True),
    number("configurationSlot"),
    number("setNetworkProfileId", refers="SetNetworkProfiles.id", primary=True),
    text("websocketServerConfigId", refers="ServerNetworkProfiles.id"),
    unique("stationId", "websocketServerConfigId", name="ChargingStationNetworkProfiles_station_server_key"),
    unique("configurationSlot"),
)

certificates = table(
    "Certificates",
    key(),
    long_number("serialNumber"),
    texts("issuerName", "organizationName", "commonName"),
    number("keyLength"),
    moment("validBefore"),
    texts("signatureAlgorithm", "countryName"),
    flag("isCA"),
    number("pathLen"),
    texts("certificateFileId", "privateKeyFileId", "signedBy", "certificateFileHash"),
    unique("certificateFileHash"),
    unique("serialNumber", "issuerName"),
)

installed_certificates = table(
    "InstalledCertificates",
    key(),
    text("stationId", 36, required=True),
    text("hashAlgorithm", required=True),
    text("issuerNameHash", required=True),
    text("issuerKeyHash", required=True),
    text("serialNumber", required=True),
    text("certificateType", required=True),
    number("certificateId", refers="Certificates.id"),
)

install_certificate_attempts = table(
    "InstallCertificateAttempts",
    key(),
    text("stationId", 36, refers="ChargingStations.id", required=True),
    text("certificateType", required=True),
    number("certificateId", refers="Certificates.id"),
    text("status"),
)

delete_certificate_attempts = table(
    "DeleteCertificateAttempts",
    key(),
    text("stationId", 36, refers="ChargingStations.id", required=True),
    text("hashAlgorithm", required=True),
    texts("issuerNameHash", "issuerKeyHash", "serialNumber", "status"),
)

charging_station_security_infos = table(
    "ChargingStationSecurityInfos",
    key(),
    texts("stationId", "publicKeyFileId"),
    unique("stationId"),
)
