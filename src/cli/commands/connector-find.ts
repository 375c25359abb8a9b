import type { Command } from 'commander'
import { NotFoundError } from '../../base/errors'
import { readOnce } from '../../explain/explain'
import { findConnector, type ConnectorsFound } from '../../explain/find-connector'
import { blockInWords, METHODS } from '../../explain/words'
import { describeIdentity } from '../../registry/connector-audit'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import type { Cell } from '../kit/output'
import { blockView } from '../views/connector'

type Match = ConnectorsFound['matches'][number]

/** `tenantctl connector find` */
export function addFind(connector: Command, io: Io): void {
  const command = connector
    .command('find')
    .description('which connector an address, certificate or AUTH user belongs to, and by what')
    .argument('<what>', 'an address, a DNS name or fingerprint of a certificate, or an AUTH user')
    .action(async (what: string, _options: object, self: Command) => {
      const context = contextOf(io, self)
      const { out } = context
      await context.connected(async (store, config) => {
        const found = await findConnector(what, { directory: readOnce(store), config })
        for (const method of found.off) {
          context.note(`[attribution] ${method}=false: no session is recognised by that`)
        }
        if (found.matches.length === 0) throw notFound(what, found)
        out.result(found.matches.map(matchView), () => {
          for (const [at, match] of found.matches.entries()) {
            if (at > 0) out.line()
            out.facts(factsOf(match))
          }
        })
      })
    })
  manual(command, {
    examples: [
      'connector find 192.0.2.10',
      'connector find web@contoso.com',
      'connector find mail.contoso.com --json',
    ],
    json: [
      'an array, since a name can be that of a certificate and an AUTH user, of:',
      'tenant; connector: tenant/name; null where the tenant owns the domain of the AUTH user',
      'by: auth | tls | ip | auth_user_domain',
      'identity: which of the connector matches, such as "ip 192.0.2.0/24", or null',
      'enabled: true or false; blocked: null, or {since, by, reason}',
    ],
    exit: { 3: 'no connector matches; the message names those that are near' },
  })
}

function matchView({ tenant, connector, method, identity, enabled, found }: Match): object {
  return {
    ...{ tenant, connector: connector ?? null, by: method },
    identity: identity === undefined ? null : describeIdentity(identity),
    ...{ enabled, blocked: found?.blocked ? blockView(found.blocked) : null },
  }
}

function factsOf({ tenant, connector, method, identity, found }: Match): [string, Cell][] {
  const by = identity === undefined ? METHODS[method] : describeIdentity(identity)
  const facts: [string, Cell][] = [
    ['tenant', tenant],
    ['connector', connector ?? 'none: the tenant owns the domain'],
    ['by', by],
  ]
  if (!found) return facts
  const { blocked } = found
  return [
    ...facts,
    ['enabled', found.enabled ? 'yes' : { text: 'no', tone: 'bad' }],
    ['blocked', blocked ? { text: blockInWords(blocked), tone: 'bad' } : 'no'],
  ]
}

function notFound(what: string, { ambiguous, near }: ConnectorsFound): NotFoundError {
  const text = `no connector matches ${JSON.stringify(what)}`
  if (ambiguous.length > 0) {
    return new NotFoundError(
      `${text}: an AUTH user of each of ${ambiguous.join(', ')} differs in its spelling only`,
    )
  }
  const misses = near.map(
    ({ connector, identity }) => `${describeIdentity(identity)} of ${connector}`,
  )
  return new NotFoundError(misses.length === 0 ? text : `${text}; near it: ${misses.join(', ')}`)
}
