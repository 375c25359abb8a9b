// The expected audit entries of a change, derived only from the content of Redis before and after it.
import { isoTime } from '../../src/base/time'
import type { Contents } from './contents'

/** An entry of a trail, without its time and users. */
export interface Expected {
  /** Key of the trail, without the prefix. */
  readonly trail: string
  readonly subject: string
  readonly what: string
  readonly from: string
  readonly to: string
}

/** The parts that come only from the command line. */
export interface Act {
  readonly by: string
  readonly reason: string
  /** Of a pause. */
  readonly duration?: string
}

const SETTINGS = [
  ...['name', 'mode', 'limits', 'nullLimits', 'forwardedLimits', 'contact'],
  ...['temporaryLimits', 'temporaryNullLimits', 'temporaryForwardedLimits'],
]
const KINDS = { ip: 'ip', cert: 'cert', certSha256: 'sha256', auth: 'auth' } as const

/**
 * The entries that the trails must have, by trail and in order.
 *
 * @param before as `contentsOf` gives it, the keys without their prefix; `now` alike.
 */
export function entriesFor(before: Contents, now: Contents, act: Act): Expected[] {
  const tenants = new Set(
    [...before.keys(), ...now.keys()].flatMap((key) => /^\{([^@}]+)\}/.exec(key)?.[1] ?? []),
  )
  const entries = [...tenants].flatMap((id) => ofTenant(id, before, now))
  const ofAll = [...ofRegistry(before, now), ...ofPause(before, now, act)]
  return [...entries, ...ofConnectors(before, now, act), ...ofAll]
}

/** The entry of `enforcement pause` and `resume`. */
function ofPause(before: Contents, now: Contents, { by, reason, duration }: Act): Expected[] {
  const [was, is] = [before, now].map((contents) => fieldsOf(contents, '{@nodes}:pause'))
  if (was!.get('mark') === is!.get('mark')) return []
  const state = is!.get('state')
  const to = state === 'paused' ? `for ${duration}, by ${by}: ${reason}` : reason
  return [{ trail: '{@nodes}:audit', subject: '', what: `enforcement ${state}`, from: '', to }]
}

/** The entry of `init --force`. */
function ofRegistry(before: Contents, now: Contents): Expected[] {
  const epochOf = (of: Contents): string | undefined =>
    fieldsOf(of, '{@tenants}:epoch').get('epoch')
  if (epochOf(before) === epochOf(now)) return []
  const held = (key: string): number => before.get(key)?.length ?? 0
  const to = `${held('{@tenants}')} tenants, ${held('{@restricted}')} restricted; what only Haraka had is dropped`
  return [{ trail: '{@tenants}:audit', subject: '', what: 'registry confirmed', from: '', to }]
}

/** A hash of these contents; empty if it does not exist. */
export function fieldsOf(contents: Contents, key: string): Map<string, string> {
  const pairs = (contents.get(key) ?? []).map((entry) => {
    const end = entry.indexOf(' = ')
    return [entry.slice(0, end), entry.slice(end + 3)] as const
  })
  return new Map(pairs)
}

function ofTenant(id: string, before: Contents, now: Contents): Expected[] {
  const own = `{${id}}:audit`
  const all = '{@tenants}:audit'
  const [was, is] = [fieldsOf(before, `{${id}}`), fieldsOf(now, `{${id}}`)]
  const settings = SETTINGS.filter((field) => was.get(field) !== is.get(field))
  const texts = (of: typeof was, fields: readonly string[]): string =>
    fields.flatMap((field) => (of.has(field) ? `${field}=${of.get(field)}` : [])).join('; ')

  if (before.has(own) && !now.has(own)) {
    return [{ trail: all, subject: id, what: 'tenant purged', from: '', to: '' }]
  }
  if (was.has('createdAt') && !is.has('createdAt')) {
    const had = texts(was, [...SETTINGS, 'source'])
    const probation = was.get('probation')?.split('\t')[1]
    const from = `${had}${probation ? `; probation=${probation}` : ''}; domains=${before.get(`{${id}}:domains`)?.length ?? 0}`
    const removed = { what: 'tenant removed', from, to: '' }
    const shared = { ...removed, trail: all, subject: id }
    return [{ ...removed, trail: own, subject: '' }, shared, ...ofCases(id, before, now)]
  }
  const entries: Expected[] = []
  if (!was.has('createdAt') && is.has('createdAt')) {
    const added = { what: 'tenant added', from: '', to: texts(is, SETTINGS) }
    entries.push({ ...added, trail: own, subject: '' }, { ...added, trail: all, subject: id })
  } else if (settings.length > 0) {
    const said = (of: typeof was): string =>
      settings.map((field) => `${field}=${of.get(field) ?? 'default'}`).join('; ')
    const change = { what: 'tenant changed', from: said(was), to: said(is) }
    entries.push({ ...change, trail: own, subject: '' })
  }
  return [
    ...entries,
    ...ofDomains(id, before, now),
    ...ofRestriction(id, before, now),
    ...ofCases(id, before, now),
    ...ofSnoozes(id, before, now),
  ]
}

function ofSnoozes(id: string, before: Contents, now: Contents): Expected[] {
  const [was, is] = [before, now].map((contents) => fieldsOf(contents, '{@events}:snoozed'))
  return [...is!].flatMap(([field, packed]) => {
    const [tenant, kind] = field.split('\t')
    if (tenant !== id || kind === undefined || was!.get(field) === packed) return []
    const [until, , reason] = packed.split('\t')
    const to = `until ${isoTime(Number(until))}: ${reason}`
    return [{ trail: `{${id}}:audit`, subject: '', what: `${kind} alerts snoozed`, from: '', to }]
  })
}

function ofDomains(id: string, before: Contents, now: Contents): Expected[] {
  const key = `{${id}}:domains`
  const [was, is] = [fieldsOf(before, key), fieldsOf(now, key)]
  const missing = (of: typeof was, other: typeof was): string =>
    [...of]
      .filter(([domain]) => !other.has(domain))
      .map(([domain, packed]) => {
        const [flags = ''] = packed.split(' ')
        return `${domain}${flags.includes('s') ? ' with subdomains' : ''}${flags.includes('h') ? ' shared' : ''}`
      })
      .join(', ')
  const [added, removed] = [missing(is, was), missing(was, is)]
  const entry = { trail: `{${id}}:audit`, subject: '' }
  return [
    ...(added === '' ? [] : [{ ...entry, what: 'domains added', from: '', to: added }]),
    ...(removed === '' ? [] : [{ ...entry, what: 'domains removed', from: removed, to: '' }]),
  ]
}

function ofRestriction(id: string, before: Contents, now: Contents): Expected[] {
  const key = `{${id}}:restriction`
  const [was, is] = [fieldsOf(before, key), fieldsOf(now, key)]
  const [had, has] = [was.get('scope') ?? '', is.get('scope') ?? '']
  const trail = `{${id}}:audit`
  if (has !== had && has !== '') {
    const to = `${has}; by ${is.get('by')}: ${is.get('reason')}`
    const what = had === '' ? 'restriction placed' : 'restriction widened'
    return [{ trail, subject: is.get('case') ?? '', what, from: had, to }]
  }
  if (has === had) return []
  const tenant = fieldsOf(now, `{${id}}`)
  const [at, by, reason] = (tenant.get('lifted') ?? '').split('\t')
  const [until, limits] = (tenant.get('probation') ?? '').split('\t')
  const length = inUnits(Math.round((Number(until) - Number(at)) / 1000))
  const probation = limits === undefined ? '' : `probation: ${limits} for ${length}; `
  const to = `${probation}by ${by}: ${reason}`
  return [{ trail, subject: was.get('case') ?? '', what: 'restriction lifted', from: had, to }]
}

/** A duration in the largest unit that divides it. */
function inUnits(seconds: number): string {
  const units = { d: 86_400, h: 3600, m: 60, s: 1 }
  const [unit, length] = Object.entries(units).find(([, each]) => seconds % each === 0)!
  return `${seconds / length}${unit}`
}

function ofCases(id: string, before: Contents, now: Contents): Expected[] {
  const trail = `{${id}}:audit`
  const keys = [...now.keys()].filter((key) => /^:case:\d+$/.test(key.slice(id.length + 2)))
  return keys
    .filter((key) => key.startsWith(`{${id}}`))
    .flatMap((key) => {
      const [was, is] = [fieldsOf(before, key), fieldsOf(now, key)]
      const subject = `${id}:${key.split(':').pop()}`
      return [...is].flatMap(([field, remark]) => {
        const what = whatOf(field)
        if (what === undefined || was.get(field) === remark) return []
        // Of who is on a case there is no text.
        const part = field === 'taken' ? 1 : 2
        const [from, to] = [was.get(field) ?? '', remark].map(
          (text) => text.split('\t')[part] ?? '',
        )
        return [{ trail, subject, what, from: from!, to: to! }]
      })
    })
}

/** `undefined`: this field has no entry. */
function whatOf(field: string): string | undefined {
  if (field.startsWith('note:')) return 'case noted'
  if (field.startsWith('tick:')) return `case checked: ${field.slice(5)}`
  if (field === 'taken') return 'case taken'
  return field === 'closed' ? 'case closed' : undefined
}

interface Connector {
  readonly ip: readonly string[]
  readonly cert: readonly string[]
  readonly certSha256: readonly string[]
  readonly auth: readonly string[]
  readonly enabled: boolean
  readonly addedBy: string
  readonly blocked?: { readonly by: string; readonly reason: string }
}

function ofConnectors(before: Contents, now: Contents, { by, reason }: Act): Expected[] {
  const [was, is] = [before, now].map((contents) => fieldsOf(contents, '{@connectors}'))
  const ids = [...new Set([...was!.keys(), ...is!.keys()])]
  return ids.flatMap((subject) => {
    const [had, has] = [was!.get(subject), is!.get(subject)]
    const tenant = `{${subject.split('/')[0]}}`
    // A purge leaves no trail.
    if (had === has || (has === undefined && !now.has(`${tenant}:audit`))) return []
    const [from, to] = [had, has].map((json) =>
      json === undefined ? undefined : (JSON.parse(json) as Connector),
    )
    const what = `connector ${changeOf(from, to)}`
    const words = [
      [from, to],
      [to, from],
    ].map(([each, other]) => (each ? describe(each, other) : ''))
    const why = what === 'connector unblocked' ? `; unblocked by ${by}: ${reason}` : ''
    return [
      {
        ...{ trail: '{@connectors}:audit', subject, what },
        ...{ from: words[0]!, to: `${words[1]}${why}` },
      },
    ]
  })
}

function changeOf(from: Connector | undefined, to: Connector | undefined): string {
  if (!from) return 'added'
  if (!to) return 'removed'
  if (from.blocked && !to.blocked) return 'unblocked'
  return to.blocked && !from.blocked ? 'blocked' : 'changed'
}

function identitiesOf(connector: Connector): string[] {
  return Object.entries(KINDS).flatMap(([kind, word]) =>
    connector[kind as keyof typeof KINDS].map((identity) => `${word} ${identity}`),
  )
}

/** @param other before or after: what that has not comes first. */
function describe(connector: Connector, other: Connector | undefined): string {
  const others = other ? identitiesOf(other) : []
  const isShared = (each: string): number => Number(others.includes(each))
  const identities = identitiesOf(connector).sort((a, b) => isShared(a) - isShared(b))
  const { enabled, addedBy, blocked } = connector
  return [
    ...[identities.join(', '), enabled ? 'enabled' : 'disabled', `by ${addedBy}`],
    ...(blocked ? [`blocked by ${blocked.by}: ${blocked.reason}`] : []),
  ].join('; ')
}
