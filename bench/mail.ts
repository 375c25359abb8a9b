import { formatIni } from '../scripts/services/ini'
import type { TestRedis } from '../scripts/services/redis'
import { Restrictions } from '../src/allowance/restriction'
import type { Store } from '../src/store/store'
import { accepted, refused } from './mail-load'
import { compare, type Comparison, type Subject } from './paired'
import type { Section } from './row'
import { registerTenant } from './seed'
import type { LeanOptions } from './servers'

/** Two tenants, attributed by their addresses. The second one is restricted. */
export const OPEN = { id: 'contoso', domain: 'contoso.com', ip: '127.0.0.1' }
const RESTRICTED = { id: 'fabrikam', domain: 'fabrikam.com', ip: '127.0.0.2' }

const OWN = accepted(`a@${OPEN.domain}`)
const ELSEWHERE = accepted('a@elsewhere.example')

/** The hooks that the plugin has for a message of a default install, doing nothing. */
const EMPTY_HOOKS = `exports.register = function () {
  this.timeout = 0
  for (const hook of ['mail', 'rcpt', 'rcpt_ok', 'reset_transaction']) this.register_hook(hook, 'empty')
}
exports.empty = (next) => next()
`

/** Mail of each kind, and the server it goes through. */
export const SUBJECTS = {
  hooks: { what: 'four empty hooks', server: 'hooks', ip: OPEN.ip, mail: OWN, context: true },
  registered: {
    ...{ what: 'registered', server: 'ours', ip: OPEN.ip, mail: OWN },
    ...{ most: 1.04, mostCalls: 0 },
  },
  unregistered: {
    ...{ what: 'unregistered, charged', server: 'ours', ip: OPEN.ip, mail: ELSEWHERE },
    ...{ most: 1.09, mostCalls: 1 },
  },
  refused: {
    ...{ what: 'refused at MAIL', server: 'ours', ip: RESTRICTED.ip, mostCalls: 0 },
    ...{ mail: refused('a@elsewhere.example'), alone: ELSEWHERE },
  },
  limit: {
    ...{ what: 'haraka-plugin-limit', server: 'limit', ip: OPEN.ip, mail: ELSEWHERE },
    context: true,
  },
} satisfies Record<string, Subject>

/** `hooks` has hooks that do nothing, `limit` haraka-plugin-limit, which counts recipients by sender. */
export function mailServers(redis: TestRedis): Readonly<Record<string, LeanOptions>> {
  const limits = formatIni({
    redis: { host: '127.0.0.1', port: redis.port, database: 4 },
    rate_rcpt_sender: { enabled: true, default: '100000000/1h' },
  })
  return {
    alone: { plugins: [] },
    hooks: { plugins: ['bench_hooks'], localPlugins: { bench_hooks: EMPTY_HOOKS } },
    ours: { redis, plugins: ['unregistered-domain'] },
    limit: { plugins: ['limit'], config: { 'limit.ini': limits } },
  }
}

export async function registerTenants(store: Store): Promise<void> {
  for (const tenant of [OPEN, RESTRICTED]) await registerTenant(store, tenant)
  const act = { scope: 'unregistered', by: 'bench', reason: 'to be refused' } as const
  await new Restrictions(store).place(RESTRICTED.id, act)
}

const comparison: Comparison = {
  name: 'mail',
  title: 'CPU of Haraka a message',
  meaning:
    'CPU time of one Haraka process, divided by that of a Haraka without the plugin for the same mail: 1 KB, one ' +
    'recipient, 20 sessions, nothing queued, log level notice. 1.04 means 4 % more. Servers run side by side and get ' +
    'batches in turn, each paired with a batch through Haraka alone; the figure is the median of the pairs. Refused ' +
    'mail ends at MAIL, so it costs less than a message. The empty hooks are the four that the plugin has for a message: ' +
    'mail, rcpt, rcpt_ok, reset_transaction. haraka-plugin-limit counts recipients by sender ' +
    '(rate_rcpt_sender) in one fixed window. Registered mail has servers of its own, all other mail of the plugin shares ' +
    'one. The answer to RCPT (refused mail: to MAIL) is timed by one session alone.',
  full: { starts: 5, rounds: 12, messages: 600, warmUp: 4_000 },
  quick: { starts: 1, rounds: 4, messages: 300, warmUp: 600 },
  // Registered mail has a server of its own: V8 compiles a process for all the kinds of mail that it carries.
  subjects: { ...SUBJECTS, registered: { ...SUBJECTS.registered, server: 'registered' } },
  against: [
    ['registered', 'hooks', 1.02],
    ['unregistered', 'limit'],
  ],
  fill: registerTenants,
  servers: (redis) => ({ ...mailServers(redis), registered: mailServers(redis)['ours']! }),
}

/** CPU of Haraka a message, with and without plugins. */
export const mail: Section = {
  ...comparison,
  run: (how) => compare(comparison, how),
}
