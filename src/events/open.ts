import { meterOf, METERS, namedMeter, USUAL_METER } from '../mail/meters'
import type { AllowanceEvent, Event } from '../records/event'

/** Something that one event has begun and no other has ended, as `{@events}:open` holds it. */
export interface Open {
  readonly kind: 'allowance' | 'restricted' | 'unusual'
  readonly tenant: string
  /** Id of the event. */
  readonly event: string
  /** Of an allowance: the edge as the usage holds it (see `allowance/lua/include/edges.lua`), without the time. */
  readonly edge?: string
  /** The rule of unusual mail. */
  readonly rule?: string
}

/** The field and value that an event opens. */
export function opens(tenant: string, event: Event): readonly [string, string] | undefined {
  switch (event.kind) {
    case 'allowance':
      return [
        fieldOf('allowance', tenant, event.id),
        `${METERS[event.meter ?? USUAL_METER].letter}${event.window}:${event.percent}:${event.id}`,
      ]
    case 'restricted':
      return [restrictedField(tenant), event.id]
    case 'unusual':
      return [fieldOf('unusual', tenant, event.rule), event.id]
    default:
      return undefined
  }
}

/** Reads an edge: the reverse of {@link opens}. */
export function parseEdge(edge: string): Pick<AllowanceEvent, 'meter' | 'window' | 'percent'> {
  const [window, percent] = edge.slice(1).split(':').map(Number)
  const meter = namedMeter(meterOf(edge))
  return { window: window!, percent: percent!, ...(meter && { meter }) }
}

/** The field that an event ends. */
export function ends(tenant: string, event: Event): string | undefined {
  if (event.kind === 'lifted') return restrictedField(tenant)
  if (event.kind !== 'resolved') return undefined
  if (event.of === 'host_missing' || event.of === 'paused') return undefined
  if (event.of === 'unusual') return fieldOf('unusual', tenant, event.rule)
  return fieldOf('allowance', tenant, event.resolves)
}

/** The field of a tenant's restriction; its value is the id of the event. */
export function restrictedField(tenant: string): string {
  return fieldOf('restricted', tenant)
}

function fieldOf(kind: Open['kind'], tenant: string, detail = ''): string {
  return `${kind}\t${tenant}\t${detail}`
}

/** Reads a field and value of {@link opens}. */
export function unpackOpen(field: string, value: string): Open {
  const [kind, tenant = '', detail = ''] = field.split('\t')
  if (kind === 'allowance') return { kind, tenant, event: detail, edge: value }
  if (kind === 'unusual') return { kind, tenant, event: value, rule: detail }
  return { kind: 'restricted', tenant, event: value }
}
