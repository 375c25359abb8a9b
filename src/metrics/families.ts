// All metrics, in the order of the text: name without the prefix, type, and help. What fills them is in `collect.ts`.

/** Begins the name of every metric. */
export const PREFIX = 'unregistered_domain_'

interface Family {
  readonly type: 'counter' | 'gauge' | 'summary'
  /** One line; ends without a full stop. */
  readonly help: string
}

export const FAMILIES = {
  build_info: { type: 'gauge', help: 'Version of the exporter, as a label; the value is 1' },
  redis_up: { type: 'gauge', help: 'Whether Redis has answered this scrape' },
  redis_command_duration_seconds: {
    type: 'gauge',
    help: 'How long Redis took to answer one command of this scrape',
  },
  redis_memory_used_bytes: {
    type: 'gauge',
    help: 'Memory that Redis uses; of a Cluster, of the primary that is fullest',
  },
  redis_memory_max_bytes: {
    type: 'gauge',
    help: 'Memory that Redis may use (maxmemory); 0: no limit is set',
  },
  registry_lost: {
    type: 'gauge',
    help: 'Whether Redis does not hold the registry, or holds another one than processes know',
  },
  registry_went_back: {
    type: 'gauge',
    help: 'Subjects with changes that Redis has lost by going back in time, and that are not resolved',
  },
  recipients_total: {
    type: 'counter',
    help: 'Recipients of relayed mail of tenants, by class of mail and outcome',
  },
  messages_total: {
    type: 'counter',
    help: 'Relayed messages of tenants, by class of mail and best outcome of their recipients',
  },
  unattributed_recipients_total: {
    type: 'counter',
    help: 'Recipients of relayed mail that belongs to no tenant, by outcome',
  },
  undecided_total: {
    type: 'counter',
    help: 'Commands of SMTP that could not be decided, by the reason',
  },
  restrictions_total: {
    type: 'counter',
    help: 'Restrictions, by who placed them: automatic (past the allowance) or a person',
  },
  lifts_total: { type: 'counter', help: 'Restrictions that were lifted' },
  events_total: { type: 'counter', help: 'Events, by kind and severity' },
  report_last_flush_timestamp_seconds: {
    type: 'gauge',
    help: 'When a process last added to the counters, in seconds since the epoch',
  },
  tenants: {
    type: 'gauge',
    help: 'Tenants: registered, and of these restricted, on probation, near a limit (past the lowest warn_at)',
  },
  tenant_restricted: {
    type: 'gauge',
    help: 'Whether a tenant is restricted (1), or was until its probation began (0), and the scope',
  },
  tenant_used_recipients: {
    type: 'gauge',
    help: 'Recipients that a tenant has used of a limit',
  },
  tenant_limit_recipients: { type: 'gauge', help: 'The limit' },
  tenant_usage_ratio: { type: 'gauge', help: 'Used recipients divided by the limit' },
  tenants_not_shown: {
    type: 'gauge',
    help: 'Tenants with usage, or restricted, that have no series of their own: see [metrics] tenants',
  },
  connectors: { type: 'gauge', help: 'Connectors, by state' },
  cases_open: { type: 'gauge', help: 'Cases of restrictions that are open' },
  alerts_waiting: { type: 'gauge', help: 'Alerts that a channel has not delivered' },
  alerts_oldest_waiting_seconds: {
    type: 'gauge',
    help: 'Age of the oldest alert that a channel has not delivered; 0: none waits',
  },
  events_stored: { type: 'gauge', help: 'Events in the stream' },
  processes: { type: 'gauge', help: 'Processes that have reported within 60 seconds, by role' },
  hosts_missing: {
    type: 'gauge',
    help: 'Hosts of which no process has reported for 60 seconds, and that were not forgotten',
  },
  processes_missing: {
    type: 'gauge',
    help: 'Processes that have not reported for 60 seconds, on hosts of which others have',
  },
  processes_behind: {
    type: 'gauge',
    help: 'Processes that have not applied a change that another process has',
  },
  configurations: { type: 'gauge', help: 'Different configurations that processes have in effect' },
  charge_duration_seconds: {
    type: 'summary',
    help: 'How long a charge took in the last minute, in the slowest process',
  },
  enforcement_paused: { type: 'gauge', help: 'Whether enforcement is paused on all hosts' },
  held_messages: {
    type: 'gauge',
    help: 'Queued messages that a host holds since their tenant is restricted; hosts that hold some',
  },
  scrape_duration_seconds: { type: 'gauge', help: 'How long it took to read all this' },
} as const satisfies Record<string, Family>

export type FamilyName = keyof typeof FAMILIES
