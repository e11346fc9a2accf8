"""Who shares this CSMS."""

from csms.store.tables.columns import flag, json, jsonb, key, moment, number, table, text, texts

tenants = table(
    "Tenants",
    key(),
    text("name", required=True),
    texts("partyId", "countryCode", "url"),
    jsonb("serverProfileOCPI"),
    flag("isUserTenant", default=False, required=True),
    tenant=False,
)

tenant_partners = table(
    "TenantPartners",
    key(),
    text("partyId", required=True),
    text("countryCode", required=True),
    jsonb("partnerProfileOCPI"),
)

async_job_statuses = table(
    "AsyncJobStatuses",
    text("jobId", primary=True),
    text("jobName", required=True),
    number("tenantPartnerId", refers="TenantPartners.id", required=True),
    moment("finishedAt"),
    moment("stoppedAt"),
    flag("stopScheduled", default=False, required=True),
    flag("isFailed", default=False, required=True),
    json("paginationParams", required=True),
    number("totalObjects"),
    tenant=False,
)
