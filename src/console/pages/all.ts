import type { Role } from '../../records/role'
import type { Download, Page } from '../kit/page'
import { AUDIT, TENANT_AUDIT } from './audit'
import { CASE, CASE_PRINT } from './case'
import { CASES, TENANT_CASES } from './cases'
import { DOCTOR } from './doctor'
import { ENFORCEMENT } from './enforcement'
import { EVENTS } from './events'
import { EXPLAIN } from './explain'
import { ALLOWANCE } from './allowance'
import { CONNECTORS, CONNECTORS_OF } from './connectors'
import { DOMAINS } from './domains'
import { GLOSSARY } from './glossary'
import { INCIDENT } from './incident'
import { NODES } from './nodes'
import { OVERVIEW } from './overview'
import { REGISTER } from './register'
import { REPORT, REPORT_CSV, REPORT_PRINT } from './report'
import { RESTRICTED } from './restricted'
import { SEARCH } from './search'
import { TENANT_QUEUE } from './tenant-queue'
import { UNATTRIBUTED } from './unattributed'
import { NEW_TENANT, SETTINGS } from './settings'

/** All pages. */
export const PAGES: readonly Page[] = [
  ...[OVERVIEW, RESTRICTED, EVENTS, AUDIT, NODES, DOCTOR, ENFORCEMENT],
  ...[INCIDENT, CASES, CASE, CASE_PRINT, TENANT_CASES, TENANT_QUEUE],
  ...[REPORT, REPORT_PRINT, REGISTER, UNATTRIBUTED, EXPLAIN],
  // Before a tenant could be meant.
  NEW_TENANT,
  ...[ALLOWANCE, DOMAINS, CONNECTORS_OF, TENANT_AUDIT, SETTINGS],
  CONNECTORS,
  ...[SEARCH, GLOSSARY],
]

export const DOWNLOADS: readonly Download[] = [REPORT_CSV]

/** What the navigation links to, in its order. */
export const NAVIGATION: readonly (readonly [
  segments: readonly string[],
  text: string,
  least: Role,
])[] = [
  [[], 'Overview', 'viewer'],
  [['restricted'], 'Restricted', 'viewer'],
  [['cases'], 'Cases', 'viewer'],
  [['connectors'], 'Connectors', 'viewer'],
  [['unattributed'], 'Mail without a tenant', 'viewer'],
  [['events'], 'Events', 'viewer'],
  [['audit'], 'Audit', 'viewer'],
  [['explain'], 'Explain', 'viewer'],
  [['nodes'], 'Hosts', 'viewer'],
  [['doctor'], 'Doctor', 'viewer'],
  [['enforcement'], 'Enforcement', 'viewer'],
  [['tenants', 'new'], 'New tenant', 'admin'],
  [['glossary'], 'Glossary', 'viewer'],
]
