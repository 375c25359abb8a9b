// What contradicts itself within one file: a name that two tenants would own, an identity that two connectors would have.
import { connectorId } from '../mail/identities'
import { parentsOf } from '../names/domain'
import { describeIdentity } from '../registry/connector-audit'
import { describeObstacle } from '../registry/owners'
import type { FileDomain, FileTenant } from './tenants-file'
import type { Place } from './yaml'

type Note = (place: Place, what: string) => void

export function noteOverlaps(tenants: readonly FileTenant[], note: Note): void {
  noteNamesOfTwoTenants(tenants, note)
  noteDoubledIdentities(tenants, note)
}

function noteNamesOfTwoTenants(tenants: readonly FileTenant[], note: Note): void {
  const owned = new Map<string, FileDomain & { tenant: string }>()
  for (const { id: tenant, domains } of tenants) {
    for (const each of domains.filter(({ shared }) => !shared)) {
      const { domain, place } = each
      const other = owned.get(domain)
      if (other === undefined) owned.set(domain, { ...each, tenant })
      else {
        const owner = `${other.tenant} (line ${other.place.line})`
        note(place, `${domain} belongs to ${owner}: keep one, or make both shared`)
      }
    }
  }
  for (const { domain, tenant, place } of owned.values()) {
    for (const parent of parentsOf(domain)) {
      const above = owned.get(parent)
      if (!above?.subdomains || above.tenant === tenant) continue
      const obstacle = { domain, owner: above.tenant, name: parent }
      note(place, `${describeObstacle(obstacle)} (line ${above.place.line}): keep one of them`)
    }
  }
}

function noteDoubledIdentities(tenants: readonly FileTenant[], note: Note): void {
  const seen = new Map<string, string>()
  for (const { id: tenant, connectors } of tenants) {
    for (const { name, places } of connectors) {
      const id = connectorId(tenant, name)
      for (const [identity, place] of places) {
        const other = seen.get(identity)
        seen.set(identity, other ?? `connector ${id} (line ${place.line})`)
        if (other === undefined) continue
        note(
          place,
          `${describeIdentity(identity)} belongs to ${other}: a session must match one connector only, so keep one`,
        )
      }
    }
  }
}
