-- Counts what the activity-log migration must do with a company's audits, without any of its code.
-- psql "$CRM_AUDIT_DATABASE_URL" -v cid=1002 -f docs/independent-count.sql
-- contacts.csv in the current folder comes from MongoDB (see independent-count.md): crm_person_id,created_at in UTC.
\set QUIET on
\pset footer off
SET TimeZone = 'UTC';
CREATE TEMP TABLE contacts (crm_person_id text, created_at timestamp);
\copy contacts FROM 'contacts.csv' CSV

-- The person: the comment first, then the person itself, then the changes (a value, or the new one of a pair).
CREATE TEMP TABLE judged AS
WITH named AS (
  SELECT id, auditable_type, action, created_at,
    coalesce(
      CASE WHEN comment ~ '^\s*\{.*\}\s*$' THEN substring(comment FROM '"crm_person_id"\s*:\s*"?(\d+)') END,
      CASE WHEN auditable_type = 'Crm::Person' THEN auditable_id::text END,
      CASE WHEN audited_changes LIKE '{%' THEN
        coalesce(substring(audited_changes FROM '"crm_person_id"\s*:\s*\[[^],]*,\s*(\d+)'),
                 substring(audited_changes FROM '"crm_person_id"\s*:\s*(\d+)')) END,
      substring(audited_changes FROM '(?n)^crm_person_id:\n- ?[^\n]*\n- (\d+)'),
      substring(audited_changes FROM '(?n)^crm_person_id:\n- (\d+)\n- *$'),
      substring(audited_changes FROM '(?n)^crm_person_id: (\d+)')
    ) AS person
  FROM audits WHERE organization_id = :cid
), oldest AS (
  SELECT crm_person_id, min(created_at) AS created_at FROM contacts GROUP BY 1
)
SELECT named.id, CASE
    WHEN auditable_type NOT IN ('Crm::Person', 'Crm::Deal', 'Crm::Company', 'Ticket', 'Crm::Task', 'Crm::Note',
      'Crm::PeopleDeal', 'Crm::PeopleCompany', 'Crm::PeopleTicket', 'Crm::PeopleTask')
      OR action NOT IN ('create', 'update', 'destroy') THEN 'skipped: unmapped_action_type'
    WHEN oldest.crm_person_id IS NULL THEN 'skipped: contact_not_found'
    WHEN named.created_at IS NULL OR NOT isfinite(named.created_at) THEN 'failed: invalid_timestamp'
    WHEN named.created_at >= oldest.created_at THEN 'skipped: post_sync_live_feed'
    ELSE 'must be in the CDP, or failed' END AS outcome
FROM named LEFT JOIN oldest ON oldest.crm_person_id = named.person;

SELECT outcome, count(*) FROM judged GROUP BY 1 ORDER BY 1;
SELECT count(*) AS audits FROM judged;
WITH live AS (SELECT id::text FROM crm_people WHERE organization_id = :cid AND deleted_at IS NULL)
SELECT count(*) AS live_people, count(*) FILTER (WHERE id IN (SELECT crm_person_id FROM contacts)) AS with_contact
FROM live;
