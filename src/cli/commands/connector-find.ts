import type { Command } from 'commander'
import { NotFoundError } from '../../base/errors'
import { readOnce } from '../../explain/explain'
import { findConnector } from '../../explain/find-connector'
import { describeIdentity } from '../../registry/connector-audit'
import { contextOf } from '../kit/context'
import type { Io } from '../kit/io'
import { manual } from '../kit/manual'
import { blockView } from '../views/connector'
import { matchFacts, notFoundText, type Match } from '../views/connector-find'

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
        if (found.matches.length === 0) throw new NotFoundError(notFoundText(what, found))
        out.result(found.matches.map(matchView), () => {
          for (const [at, match] of found.matches.entries()) {
            if (at > 0) out.line()
            out.facts(matchFacts(match))
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
