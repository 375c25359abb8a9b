import { parentsOf } from '../names/domain'
import { describeIdentity } from '../registry/connector-audit'
import { connectorId } from '../mail/identities'
import { describeObstacle } from '../registry/owners'
import type { FileDomain, FileTenant } from './tenants-file'
import type { Place } from './yaml-reader'

type Note = (place: Place, what: string) => void

/** Notes what contradicts itself within one file: a name or an identity that two would have. */
export function noteOverlaps(tenants: readonly FileTenant[], note: Note): void {
  noteDoubledDomains(tenants, note)
  noteNamesOfTwoTenants(tenants, note)
  noteDoubledIdentities(tenants, note)
}

function noteDoubledDomains(tenants: readonly FileTenant[], note: Note): void {
  for (const { domains } of tenants) {
    const seen = new Map<string, Place>()
    for (const { domain, place } of domains) {
      const earlier = seen.get(domain)
      if (earlier) note(place, `${domain} is there twice, first in line ${earlier.line}: keep one`)
      else seen.set(domain, place)
    }
  }
}

function noteNamesOfTwoTenants(tenants: readonly FileTenant[], note: Note): void {
  const owned = new Map<string, FileDomain & { tenant: string }>()
  for (const tenant of tenants) {
    for (const domain of tenant.domains) {
      if (domain.shared) continue
      const other = owned.get(domain.domain)
      if (other === undefined) owned.set(domain.domain, { ...domain, tenant: tenant.id })
      else if (other.tenant !== tenant.id) {
        note(
          domain.place,
          `${domain.domain} belongs to ${other.tenant} (line ${other.place.line}): keep one, or make both shared`,
        )
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
  const seen = new Map<string, { id: string; place: Place }>()
  for (const tenant of tenants) {
    for (const connector of tenant.connectors) {
      const id = connectorId(tenant.id, connector.name)
      for (const [identity, place] of connector.places) {
        const other = seen.get(identity)
        if (other === undefined) seen.set(identity, { id, place })
        else {
          note(
            place,
            `${describeIdentity(identity)} belongs to connector ${other.id} (line ${other.place.line}): a session must match one connector only, so keep one`,
          )
        }
      }
    }
  }
}
