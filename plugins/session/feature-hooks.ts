import type { Config } from '../../src/process/config'

/** Before most plugins: one that answers OK to RCPT, or asks its backend then, must not come first. */
const EARLY = -50
const FIRST = -100
const LAST = 100

/** What needs hooks that other installations do without, and whether it is on. */
const FEATURES = {
  forwarded: ({ forwarded }) => forwarded.enabled,
  fromCharge: ({ headerFrom }) => headerFrom.check === 'charge',
  srs: ({ srs }) => srs.domain !== '',
  tag: ({ tag }) => tag.header !== '',
  grantRelay: ({ attribution }) => attribution.grantRelay,
} satisfies Readonly<Record<string, (config: Config) => boolean>>
type Feature = keyof typeof FEATURES

/** A hook of Haraka, and the method that handles it. */
interface HookRow {
  readonly hook: string
  readonly method: string
  readonly priority: number
  /** Any of these needs it. Absent: it is always registered. */
  readonly for?: readonly Feature[]
}

/**
 * Which feature needs which hooks. A hook costs every message something even where it does nothing, so what a default
 * installation does not need is not registered. Of hooks with equal priority the first one here runs first.
 */
const HOOKS = [
  // A forged tag is removed before anything else answers.
  { hook: 'queue', method: 'on_tag', priority: FIRST, for: ['tag'] },
  { hook: 'queue_outbound', method: 'on_tag', priority: FIRST, for: ['tag'] },
  // Before plugins that count deliveries, such as limit: held mail is not delivered. Once a delivery, so always there: who
  // turns on queued=hold or the egress pool need not restart Haraka.
  { hook: 'send_email', method: 'on_send_email', priority: FIRST },
  { hook: 'get_mx', method: 'on_get_mx', priority: LAST },
  // Without it AUTH before XCLIENT would not be found stale.
  { hook: 'connect', method: 'on_connect', priority: FIRST },
  { hook: 'helo', method: 'on_greet', priority: EARLY, for: ['grantRelay'] },
  { hook: 'ehlo', method: 'on_greet', priority: EARLY, for: ['grantRelay'] },
  { hook: 'mail', method: 'on_mail', priority: 0 },
  { hook: 'rcpt', method: 'on_rcpt', priority: EARLY },
  { hook: 'rcpt', method: 'on_srs_rcpt', priority: EARLY, for: ['srs'] },
  { hook: 'rcpt_ok', method: 'on_rcpt_ok', priority: EARLY },
  // For a tag it waits until the owner of the sender domain is known: the tag shows the final class.
  {
    hook: 'data_post',
    method: 'on_data_post',
    priority: FIRST,
    for: ['forwarded', 'fromCharge', 'tag'],
  },
  { hook: 'deny', method: 'on_deny', priority: FIRST },
  { hook: 'reset_transaction', method: 'on_end', priority: FIRST },
  { hook: 'disconnect', method: 'on_end', priority: FIRST },
  // Recipients that are still held are charged here: another plugin's OK to data_post kept this plugin's hook from running.
  { hook: 'queue', method: 'on_queue', priority: FIRST, for: ['forwarded'] },
  { hook: 'queue_outbound', method: 'on_queue', priority: FIRST, for: ['forwarded'] },
  { hook: 'queue', method: 'on_srs_queue', priority: FIRST, for: ['srs'] },
  { hook: 'queue_outbound', method: 'on_srs_queue_outbound', priority: FIRST, for: ['srs'] },
  { hook: 'pre_send_trans_email', method: 'on_send', priority: FIRST, for: ['srs'] },
] as const satisfies readonly HookRow[]

/** The names of the methods of this plugin that handle hooks. */
export type HookMethod = (typeof HOOKS)[number]['method']

/**
 * The hooks that a configuration needs, in the order of their registration. What is turned on later needs a restart: see
 * `turnedOn` in `src/config/section.ts`.
 */
export function hooksFor(config: Config): { hook: string; method: HookMethod; priority: number }[] {
  const rows: readonly (HookRow & { readonly method: HookMethod })[] = HOOKS
  return rows.filter((row) => row.for?.some((feature) => FEATURES[feature](config)) ?? true)
}
