import { tenantctl } from '../base/command-line'
import { shortTime } from '../base/time'
import { NotFoundError, noSuchTenant, RefusedError } from '../base/errors'
import type { Event } from '../records/event'
import { DAY } from '../reporting/calendar'
import { decodeRestriction, type Restriction } from '../allowance/restriction'
import { mapLimited } from '../base/limiter'
import { assertTenantId } from '../mail/identities'
import { tenantExists } from '../registry/tenant-registry'
import { readScript } from '../store/script'
import { scanSortedSet } from '../store/scan'
import type { Store } from '../store/store'
import {
  caseName,
  decodeCase,
  decodeRemark,
  parseCaseName,
  type Case,
  type Remark,
  type Step,
} from './case'
import { tripWords } from './words'

const OPEN = readScript(__dirname, 'case_open')
const LIFTED = readScript(__dirname, 'case_lifted')
const NOTE = readScript(__dirname, 'case_note')
const CHECK = readScript(__dirname, 'case_check')
const TAKE = readScript(__dirname, 'case_take')
const CLOSE = readScript(__dirname, 'case_close')

/** How long the record of a closed case is kept, in ms. */
export const RECORD_KEPT = 365 * DAY
/** How long the evidence of a closed case is kept, in ms. */
export const EVIDENCE_KEPT = 30 * DAY
/** Most notes of one case. */
export const MOST_NOTES = 100
/** Oldest entries of the index checked when one is added; those of expired cases are removed. */
const CHECKED = 10
const BATCH = 200

/** A remark to add; the server adds its time. */
export interface NewRemark {
  readonly by: string
  readonly text: string
}

/** Who is on a case has changed, or not. */
export interface Took<Result> {
  readonly result: Result | 'unchanged'
  /** Who was on it before. */
  readonly before: Remark | undefined
}

/** The result of {@link Cases.newest}. */
export interface NewestCases {
  readonly cases: readonly Case[]
  /** Cases that were not read, since they are older. */
  readonly older: number
}

type Opening = Pick<Restriction, 'by' | 'reason' | 'scope' | 'trigger' | 'onProbation'> & {
  readonly at: number
  readonly event: string
}

/** The cases of restrictions. */
export class Cases {
  constructor(private readonly store: Store) {}

  /**
   * Opens the case of a `restricted` event, or notes the lift of a `lifted` event. Several processes may call it, any
   * number of times.
   *
   * @throws what ioredis throws.
   */
  async handleEvent(tenant: string, event: Event): Promise<void> {
    // The event is older than cases.
    if (!('case' in event) || !event.case) return
    if (event.kind === 'restricted') {
      const { at, by, reason, scope, trigger, id } = event
      const opening = { at, by, reason, scope, trigger, event: id }
      await this.open(event.case, { ...opening, onProbation: event.probation === true })
    } else {
      const { number } = parseCaseName(event.case)
      const { at, by, reason, probation } = event
      const given = probation ? `${probation.until}\t${probation.limits}` : ''
      await this.store.run(
        LIFTED,
        [this.store.keys.caseOf(tenant, number)],
        [`${at}\t${by}\t${reason}`, given],
      )
    }
  }

  /**
   * Opens the case of the restriction in effect, if no process has yet.
   *
   * @returns its name; `undefined`: the tenant is not restricted, or the restriction is older than cases.
   */
  async ensure(tenant: string): Promise<string | undefined> {
    const opening = await this.openingOf(tenant)
    if (!opening) return undefined
    await this.open(opening.case, opening)
    return opening.case
  }

  /**
   * The same by the name of the case.
   *
   * @throws {InputError} not the name of a case.
   */
  async ensureNamed(name: string): Promise<void> {
    const { tenant } = parseCaseName(name)
    await this.ensure(tenant)
  }

  /**
   * Notes in a case that its restriction has just been lifted. The `lifted` event replaces the note later.
   *
   * @throws what ioredis throws.
   */
  async noteLift(name: string): Promise<void> {
    const { client, keys } = this.store
    const { tenant, number } = parseCaseName(name)
    const [lifted, probation] = await client.hmget(keys.tenant(tenant), 'lifted', 'probation')
    if (!lifted) return
    const given = probation?.endsWith(`\t${name}`) ? probation.slice(0, -name.length - 1) : ''
    await this.store.run(LIFTED, [keys.caseOf(tenant, number)], [lifted, given])
  }

  private async open(name: string, opening: Opening): Promise<void> {
    const { client, keys } = this.store
    const { tenant, number } = parseCaseName(name)
    const opened = await this.store.run(
      OPEN,
      [keys.caseOf(tenant, number), keys.tenant(tenant), keys.audit(tenant)],
      [opening.by === 'automatic' ? tripWords(opening) : '', name, ...fieldsOf(opening).flat()],
    )
    // The index is in another slot: a second call completes an interrupted one.
    if (opened === 0 && (await client.exists(keys.caseOf(tenant, number))) === 0) return
    await client.zadd(keys.caseIndex, String(opening.at), name)
    if (opened === 1) await this.forgetOldest()
  }

  /** What opens the case of the restriction in effect; `undefined`: there is none. */
  private async openingOf(tenant: string): Promise<(Opening & { case: string }) | undefined> {
    const fields = await this.store.client.hgetall(this.store.keys.restriction(tenant))
    const restriction = decodeRestriction(tenant, fields)
    if (!restriction || restriction.case === '') return undefined
    return { ...restriction, at: restriction.since, event: fields['event'] ?? '' }
  }

  /**
   * A case. That of the restriction in effect is there at once, though it is a second or two until a process has opened it.
   *
   * @throws {InputError} not the name of a case.
   */
  async get(name: string): Promise<Case | undefined> {
    const { tenant, number } = parseCaseName(name)
    const fields = await this.store.client.hgetall(this.store.keys.caseOf(tenant, number))
    const opened = decodeCase(tenant, number, fields)
    if (opened) return opened
    const opening = await this.openingOf(tenant)
    if (opening?.case !== name) return undefined
    return decodeCase(tenant, number, Object.fromEntries(fieldsOf(opening)))
  }

  /** @throws {NotFoundError} */
  async existing(name: string): Promise<Case> {
    const found = await this.get(name)
    if (found) return found
    throw noSuchCase(name)
  }

  /** The cases of a tenant, also a removed one, or of all tenants; newest first. */
  async list(tenant?: string): Promise<Case[]> {
    const names =
      tenant === undefined
        ? [...(await scanSortedSet(this.store, this.store.keys.caseIndex)).keys()]
        : await this.namesOf(tenant)
    const cases = await mapLimited(names, BATCH, (name) => this.get(name))
    return cases
      .filter((each) => each !== undefined)
      .sort((a, b) => b.opened - a.opened || b.number - a.number)
  }

  /** The newest cases of a tenant, also of a removed one, or of all tenants; newest first. @param most that are read. */
  async newest(most: number, tenant?: string): Promise<NewestCases> {
    const { client, keys } = this.store
    const [names, all] =
      tenant === undefined
        ? await Promise.all([
            client.zrange(keys.caseIndex, String(-most), '-1'),
            client.zcard(keys.caseIndex),
          ])
        : await this.namesOf(tenant).then((known) => [known.slice(-most), known.length] as const)
    const cases = await mapLimited(names.toReversed(), BATCH, (name) => this.get(name))
    return { cases: cases.filter((each) => each !== undefined), older: all - names.length }
  }

  /** The names of all cases of a tenant, expired ones too. */
  async namesOf(tenant: string): Promise<string[]> {
    const length = await this.lastOf(tenant)
    return Array.from({ length }, (_, at) => caseName(tenant, at + 1))
  }

  /** The number of the latest case of a tenant, also of a removed one; 0: it has had none. */
  async lastOf(tenant: string): Promise<number> {
    const { client, keys } = this.store
    const counts = await Promise.all([
      client.hget(keys.tenant(tenant), 'cases'),
      client.get(keys.caseCount(tenant)),
    ])
    return Math.max(...counts.map(Number))
  }

  /**
   * The name of a case as a person gives it.
   *
   * @param text the name, or a tenant for its latest case.
   * @throws {InputError} neither.
   * @throws {NotFoundError} no such tenant, or it has had no case.
   */
  async nameOf(text: string): Promise<string> {
    if (text.includes(':')) {
      parseCaseName(text)
      return text
    }
    assertTenantId(text)
    const last = await this.lastOf(text)
    if (last > 0) return caseName(text, last)
    if (!(await tenantExists(this.store, text))) throw noSuchTenant(text)
    throw new NotFoundError(`${text} has had no case: it was never restricted`)
  }

  /**
   * @throws {NotFoundError} there is no such case.
   * @throws {RefusedError} it has `most` notes.
   */
  async note(name: string, { by, text }: NewRemark, most = MOST_NOTES): Promise<void> {
    const { keys, actor } = this.store
    const { tenant, number } = parseCaseName(name)
    const reply = (await this.store.run(
      NOTE,
      [keys.caseOf(tenant, number), keys.audit(tenant)],
      [actor, name, by, text, most],
    )) as 'noted' | 'full' | 'gone'
    if (reply === 'gone') throw noSuchCase(name)
    if (reply === 'full') {
      throw new RefusedError(
        `case ${name} has ${most} notes, which is the maximum: keep further ones in your ticket`,
      )
    }
  }

  /**
   * Ticks steps, all or none.
   *
   * @throws {NotFoundError} there is no such case.
   * @throws {RefusedError} it is closed.
   */
  async check(
    name: string,
    steps: readonly Step[],
    { by, text }: NewRemark,
  ): Promise<'checked' | 'unchanged'> {
    const { keys, actor } = this.store
    const { tenant, number } = parseCaseName(name)
    const reply = (await this.store.run(
      CHECK,
      [keys.caseOf(tenant, number), keys.audit(tenant)],
      [actor, name, by, text, ...steps],
    )) as 'checked' | 'unchanged' | 'closed' | 'gone'
    if (reply === 'gone') throw noSuchCase(name)
    if (reply === 'closed') {
      throw new RefusedError(
        `case ${name} is closed: add a note (${tenantctl('case', 'note', name)} …)`,
      )
    }
    return reply
  }

  /**
   * Notes that a person is on a case, until they release or close it.
   *
   * @param force even if another person is.
   * @throws {NotFoundError} there is no such case.
   * @throws {RefusedError} it is closed, or another person is on it.
   */
  async take(name: string, by: string, force = false): Promise<Took<'taken'>> {
    const { result, before } = await this.putOn(name, by, force)
    if (before && result === 'held') {
      const since = `${before.by} has been on case ${name} since ${shortTime(before.at)}`
      throw new RefusedError(`${since}: --force takes it over`)
    }
    return result === 'taken' ? { result, before } : { result: 'unchanged', before }
  }

  /**
   * Notes that no person is on a case any more.
   *
   * @throws {NotFoundError} there is no such case.
   * @throws {RefusedError} it is closed.
   */
  async release(name: string): Promise<Took<'released'>> {
    const { result, before } = await this.putOn(name, '', false)
    return result === 'released' ? { result, before } : { result: 'unchanged', before }
  }

  private async putOn(
    name: string,
    by: string,
    force: boolean,
  ): Promise<Took<'taken' | 'released' | 'held'>> {
    const { keys, actor } = this.store
    const { tenant, number } = parseCaseName(name)
    const [result, before] = (await this.store.run(
      TAKE,
      [keys.caseOf(tenant, number), keys.audit(tenant)],
      [actor, name, by, force ? '1' : ''],
    )) as ['taken' | 'released' | 'unchanged' | 'held' | 'closed' | 'gone', string]
    if (result === 'gone') throw noSuchCase(name)
    if (result === 'closed') throw new RefusedError(`case ${name} is closed`)
    return { result, before: before === '' ? undefined : decodeRemark(before) }
  }

  /** Who is on each of these cases of restrictions in effect. */
  async takers(names: readonly string[]): Promise<ReadonlyMap<string, Remark>> {
    const { client, keys } = this.store
    const taken = await mapLimited(names, BATCH, async (name) => {
      const { tenant, number } = parseCaseName(name)
      const remark = decodeRemark(
        (await client.hget(keys.caseOf(tenant, number), 'taken')) ?? undefined,
      )
      return remark ? ([name, remark] as const) : undefined
    })
    return new Map(taken.filter((each) => each !== undefined))
  }

  /**
   * Closes a case: its evidence expires after {@link EVIDENCE_KEPT}, its record after {@link RECORD_KEPT}.
   *
   * @throws {NotFoundError} there is no such case.
   * @throws {RefusedError} its restriction is in effect.
   */
  async close(name: string, { by, text }: NewRemark): Promise<'closed' | 'unchanged'> {
    const { keys, actor } = this.store
    const { tenant, number } = parseCaseName(name)
    const reply = (await this.store.run(
      CLOSE,
      [
        keys.caseOf(tenant, number),
        keys.evidence(tenant, number),
        keys.restriction(tenant),
        keys.audit(tenant),
      ],
      [actor, name, by, text, RECORD_KEPT, EVIDENCE_KEPT],
    )) as 'closed' | 'unchanged' | 'restricted' | 'gone'
    if (reply === 'gone') throw noSuchCase(name)
    if (reply === 'restricted') {
      throw new RefusedError(
        `${tenant} is restricted by case ${name}: lift that first (${tenantctl('unblock', tenant)} --reason …), then close it`,
      )
    }
    return reply
  }

  /** Closes all cases of a removed tenant, so that they expire. */
  async closeOfRemoved(tenant: string, by: string): Promise<void> {
    for (const { name, closed } of await this.list(tenant)) {
      if (!closed) await this.close(name, { by, text: 'tenant removed' })
    }
  }

  /** Removes expired cases from the index. */
  private async forgetOldest(): Promise<void> {
    const { client, keys } = this.store
    await this.forget(await client.zrange(keys.caseIndex, '0', String(CHECKED - 1)))
  }

  private async forget(names: readonly string[]): Promise<void> {
    const { client, keys } = this.store
    for (const name of names) {
      const { tenant, number } = parseCaseName(name)
      if ((await client.exists(keys.caseOf(tenant, number))) === 1) continue
      await client.zrem(keys.caseIndex, name)
    }
  }
}

/** The fields of a new record. */
function fieldsOf(opening: Opening): [string, string][] {
  const { at, by, reason, scope, trigger, onProbation, event } = opening
  const fields = {
    ...{ opened: at, by, reason, scope, event },
    ...(onProbation ? { probation: 1 } : {}),
    ...trigger,
  }
  return Object.entries(fields).map(([field, value]) => [field, String(value)])
}

function noSuchCase(name: string): NotFoundError {
  return new NotFoundError(
    `there is no case "${name}"; tenantctl case list --all shows all. The record of a closed case is kept for 365 days`,
  )
}
