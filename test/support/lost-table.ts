// Each kind of change that a Redis loses that goes back in time, and what holds of it.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../scripts/services/wait-for'
import type { SessionOptions } from '../../scripts/services/smtp'
import { readTenantAudit } from '../../src/audit/reader'
import type { Connector } from '../../src/mail/tenant'
import { moveDomain } from '../../src/registry/domain-move'
import { readLost, type LostReport } from '../../src/registry/lost-changes'
import { removeTenant } from '../../src/registry/tenant-removal'
import { published } from './events'
import { newAddress, type RelayRedis, type TestRelay, type TestTenant } from './relay'
import { REPLY } from './replies'

type AnyRelay = TestRelay<RelayRedis>

/** Workers of the Haraka. */
export const NODES = 2
const LURE = 'x@lure.example'
const FAR = 'a@far.example'
const PASSES = '250 Message Queued'
const ABUSE = { by: 'ann', reason: 'abuse' }
const CLEANED = { by: 'ann', reason: 'cleaned' }
/** Between two messages while Redis goes back, in ms. */
const PAUSE = 20

/** Mail, and how the answer to it begins: the first negative one, else the last one. */
interface Answered {
  readonly session: SessionOptions
  readonly from: string
  readonly answer: string
}

/** A change that Redis loses. */
export interface Change {
  readonly make: () => Promise<unknown>
  /** What every process answers by then, also after Redis has gone back. What Redis need not be asked for, it answers always. */
  readonly mail?: () => readonly Answered[]
  /** Resolves when every process acts by it: before Redis goes back, and after. */
  readonly holds?: () => Promise<unknown>
  /** A process puts it back: into this tenant. */
  readonly putBack?: { readonly tenant: string; readonly what: 'restriction' | 'lift' }
  /** It is reported as lost: `SUBJECT WHAT: WAS → IS`. */
  readonly lost?: readonly string[]
  /** What Redis has lost, and nobody knows. */
  readonly isGone?: () => Promise<unknown>
}

/** Each registers what it needs, before the moment that Redis comes back to. */
export const CHANGES: Readonly<Record<string, (relay: AnyRelay) => Change | Promise<Change>>> = {
  'a trip': async (relay) => {
    const tenant = await relay.tenant('tripped', { limits: '1/1h' })
    return {
      make: () => tenant.send({ from: LURE, to: [FAR, 'b@far.example'] }),
      mail: () => [{ session: tenant.session, from: LURE, answer: REPLY.blocked }],
      putBack: { tenant: 'tripped', what: 'restriction' },
    }
  },

  'a trip of a tenant that was restricted and unblocked before': async (relay) => {
    const tenant = await relay.tenant('again', { limits: '1/1h' })
    await relay.restrictions.place('again', { ...ABUSE, scope: 'unregistered' })
    await relay.lift('again')
    await gets(relay, tenant.session, `a@${tenant.domain}`, PASSES)
    return {
      make: () => tenant.send({ from: LURE, to: [FAR, 'b@far.example'] }),
      mail: () => [{ session: tenant.session, from: LURE, answer: REPLY.blocked }],
      putBack: { tenant: 'again', what: 'restriction' },
    }
  },

  'a restriction placed by hand': async (relay) => {
    const tenant = await relay.tenant('placed')
    return {
      make: () => relay.restrictions.place('placed', { ...ABUSE, scope: 'unregistered' }),
      mail: () => [{ session: tenant.session, from: LURE, answer: REPLY.blocked }],
      putBack: { tenant: 'placed', what: 'restriction' },
    }
  },

  'a restriction that was widened': async (relay) => {
    const tenant = await relay.tenant('widened')
    await relay.restrictions.place('widened', { ...ABUSE, scope: 'unregistered' })
    return {
      make: () => relay.restrictions.place('widened', { ...ABUSE, scope: 'all' }),
      mail: () => [
        { session: tenant.session, from: `a@${tenant.domain}`, answer: REPLY.blockedAll },
      ],
      putBack: { tenant: 'widened', what: 'restriction' },
    }
  },

  'a lift': async (relay) => {
    const tenant = await restricted(relay, 'lifted')
    return {
      make: () => relay.lift('lifted'),
      mail: () => [{ session: tenant.session, from: LURE, answer: PASSES }],
      putBack: { tenant: 'lifted', what: 'lift' },
    }
  },

  'a lift with a probation': async (relay) => {
    const tenant = await restricted(relay, 'probed')
    const probation = { limits: '100/1h', duration: 86_400_000 }
    return {
      make: () => relay.restrictions.lift('probed', { ...CLEANED, keepUsage: false, probation }),
      mail: () => [{ session: tenant.session, from: LURE, answer: PASSES }],
      holds: async () => {
        const packed = await relay.store.client.hget(relay.store.keys.tenant('probed'), 'probation')
        assert.match(packed ?? '', /^\d+\t100\/1h\tprobed:1$/)
      },
      putBack: { tenant: 'probed', what: 'lift' },
    }
  },

  'a connector that was blocked': async (relay) => {
    const tenant = await relay.tenant('blocked')
    return {
      make: () => relay.registry.connectors.block('blocked', 'mx', ABUSE),
      mail: () => [
        { session: tenant.session, from: `a@${tenant.domain}`, answer: REPLY.connectorBlocked },
      ],
      lost: [`blocked/mx connector: ${of(tenant)} → ${of(tenant)} blocked`],
    }
  },

  'a connector that was disabled': async (relay) => {
    const tenant = await relay.tenant('disabled')
    return {
      make: () => relay.registry.connectors.setEnabled('disabled', 'mx', false),
      mail: () => [{ session: tenant.session, from: `a@${tenant.domain}`, answer: REPLY.noTenant }],
      lost: [`disabled/mx connector: ${of(tenant)} → ${of(tenant)} disabled`],
    }
  },

  'a connector that was removed': async (relay) => {
    await relay.tenant('smaller')
    const session = await relay.connector('smaller', 'old')
    return {
      make: () => relay.registry.connectors.remove('smaller', 'old'),
      holds: () => relay.attributed(session, null),
      lost: [`smaller/old connector: ${session.localAddress}/32 → nothing`],
    }
  },

  'a connector that was added': async (relay) => {
    await relay.tenant('larger')
    const localAddress = newAddress()
    const ip = [`${localAddress}/32`]
    return {
      make: () => relay.registry.connectors.add('larger', 'new', { ip }, 'ann'),
      holds: () => relay.attributed({ localAddress }, 'larger/new'),
      lost: [`larger/new connector: nothing → ${localAddress}/32`],
    }
  },

  'an address that went to the connector of another tenant': async (relay) => {
    await relay.tenant('giver')
    await relay.tenant('taker')
    const session = await relay.connector('giver', 'shared')
    const ip = [`${session.localAddress}/32`]
    return {
      make: async () => {
        await relay.registry.connectors.remove('giver', 'shared')
        await relay.registry.connectors.add('taker', 'shared', { ip }, 'ann')
      },
      holds: () => relay.attributed(session, 'taker/shared'),
      lost: [
        `giver/shared connector: ${ip[0]} → nothing`,
        `taker/shared connector: nothing → ${ip[0]}`,
      ],
    }
  },

  'a mode': async (relay) => {
    const tenant = await relay.tenant('watched', { mode: 'monitor' })
    await relay.restrictions.place('watched', { ...ABUSE, scope: 'unregistered' })
    return {
      make: () => relay.registry.tenants.set('watched', { mode: 'enforce' }),
      mail: () => [{ session: tenant.session, from: LURE, answer: REPLY.blocked }],
      lost: ['watched mode: monitor → enforce'],
    }
  },

  limits: async (relay) => {
    const tenant = await relay.tenant('limited', { limits: '10/1h' })
    return {
      make: () => relay.registry.tenants.set('limited', { limits: '20/1h' }),
      mail: () => [{ session: tenant.session, from: `a@${tenant.domain}`, answer: PASSES }],
      lost: ['limited limits: 10/1h → 20/1h'],
      isGone: async () =>
        assert.equal((await relay.registry.tenants.get('limited'))?.limits, '10/1h'),
    }
  },

  'an accepted domain that was added': async (relay) => {
    const tenant = await restricted(relay, 'growing')
    return {
      make: () => relay.registry.domains.add('growing', [owned('added.example')], 'ann'),
      mail: () => [{ session: tenant.session, from: 'a@added.example', answer: PASSES }],
      lost: ['growing domain added.example: nothing → -'],
    }
  },

  'an accepted domain that was removed': async (relay) => {
    const domains = ['shrinking.example', 'removed.example']
    const tenant = await restricted(relay, 'shrinking', domains)
    return {
      make: () => relay.registry.domains.remove('shrinking', ['removed.example']),
      mail: () => [{ session: tenant.session, from: 'a@removed.example', answer: REPLY.blocked }],
      lost: ['shrinking domain removed.example: - → nothing'],
    }
  },

  'an accepted domain that was moved': async (relay) => {
    const seller = await restricted(relay, 'seller', ['seller.example', 'moved.example'])
    const buyer = await restricted(relay, 'buyer')
    return {
      make: () => moveDomain(relay.store, 'moved.example', 'buyer', 'ann'),
      mail: () => [
        { session: seller.session, from: 'a@moved.example', answer: REPLY.blocked },
        { session: buyer.session, from: 'a@moved.example', answer: PASSES },
      ],
      lost: ['buyer domain moved.example: nothing → -', 'seller domain moved.example: - → nothing'],
    }
  },

  'a tenant that was added': (relay) => {
    let tenant: TestTenant
    return {
      make: async () => (tenant = await relay.tenant('newcomer')),
      mail: () => [{ session: tenant.session, from: 'a@newcomer.example', answer: PASSES }],
      lost: ['newcomer tenant: nothing → added'],
      isGone: () => gets(relay, tenant.session, LURE, REPLY.undecidable),
    }
  },

  'a tenant that was added and restricted': (relay) => {
    let tenant: TestTenant
    return {
      make: async () => {
        tenant = await relay.tenant('shortly')
        await relay.restrictions.place('shortly', { ...ABUSE, scope: 'unregistered' })
      },
      mail: () => [{ session: tenant.session, from: LURE, answer: REPLY.blocked }],
      lost: ['shortly tenant: nothing → added'],
    }
  },

  'a tenant that was removed': async (relay) => {
    const { session } = await relay.tenant('leaver')
    const neighbour = await relay.tenant('neighbour')
    return {
      make: () => removeTenant(relay.store, 'leaver'),
      holds: async () => {
        await relay.attributed(session, null)
        await classed(relay, neighbour, 'a@leaver.example', 'unregistered')
      },
      lost: ['leaver tenant: added → nothing'],
    }
  },

  usage: async (relay) => {
    const tenant = await relay.tenant('counted')
    await tenant.send({ from: LURE, to: FAR })
    return {
      make: () => tenant.send({ from: LURE, to: [FAR, 'b@far.example'] }),
      mail: () => [{ session: tenant.session, from: `a@${tenant.domain}`, answer: PASSES }],
      isGone: async () => assert.equal(await tenant.used(), 1),
    }
  },
}

/** All of {@link CHANGES} on one relay. */
export class LostTable {
  private readonly changes = new Map<string, Change>()
  /** Of each tenant whose restriction or lift is put back, as Redis held it before it went back. */
  private readonly restrictions = new Map<string, Readonly<Record<string, string>>>()
  /** Answers to mail while Redis went back, by change. */
  private readonly wrongAnswers = new Map<string, string[]>()
  private logFrom = 0
  private found: LostReport | undefined

  private constructor(
    private readonly relay: AnyRelay,
    private readonly isLost: (line: string) => boolean,
  ) {}

  /**
   * Registers what the changes need.
   *
   * @param isLost tells which lines of `lost` are lost; the others are in a part of Redis that stays.
   */
  static async prepare(relay: AnyRelay, isLost = (_line: string) => true): Promise<LostTable> {
    const table = new LostTable(relay, isLost)
    for (const [name, prepare] of Object.entries(CHANGES)) {
      table.changes.set(name, await prepare(relay))
    }
    return table
  }

  /** Makes all changes, and waits until every process acts by them. */
  async make(): Promise<void> {
    for (const change of this.changes.values()) {
      await change.make()
      await inEffect(this.relay, change)
    }
    for (const { putBack } of this.changes.values()) {
      if (putBack) this.restrictions.set(putBack.tenant, await this.restrictionOf(putBack.tenant))
    }
    this.logFrom = this.relay.haraka.log.length
  }

  /** What the Haraka has logged since the changes. */
  get log(): string {
    return this.relay.haraka.log.slice(this.logFrom)
  }

  /** What is reported, once Redis has gone back. */
  get report(): LostReport {
    return this.found!
  }

  /**
   * Lets Redis go back, and waits until all that it has lost is reported or put back. Mail is sent meanwhile.
   *
   * @param goBack resolves to `false` where Redis has lost nothing in the end.
   */
  async lose(goBack: () => Promise<unknown>): Promise<void> {
    let isOver = false
    const asked = Array.from(this.changes, async ([name, { mail }]) => {
      const steady = (mail?.() ?? []).filter(isSteady)
      this.wrongAnswers.set(name, await wrongAmong(this.relay, steady, () => isOver))
    })
    try {
      if ((await goBack()) !== false) await this.whenReported()
    } finally {
      isOver = true
      await Promise.all(asked)
    }
  }

  private async whenReported(): Promise<void> {
    const expected = [...this.changes.values()].flatMap(({ lost = [] }) => lost).filter(this.isLost)
    const isReported = async (): Promise<boolean> => {
      const report = await readLost(this.relay.store)
      const said = report ? wordsOf(report) : []
      const back = report?.putBack.map(({ subject }) => subject) ?? []
      const missing = [
        ...expected.filter((each) => !said.includes(each)),
        ...[...this.restrictions.keys()].filter((tenant) => !back.includes(tenant)),
      ]
      if (missing.length > 0) throw new Error(`missing: ${missing.join('; ')}`)
      this.found = report
      return true
    }
    const what = 'all that Redis has lost is reported'
    await waitFor(isReported, { timeout: 60_000, interval: 100, what })
  }

  /** Asserts that a change holds in every process, and that the report has it. */
  async assertHeld(name: string): Promise<void> {
    const change = this.changes.get(name)!
    const { lost = [], isGone, putBack } = change
    assert.deepEqual(this.wrongAnswers.get(name), [])
    await inEffect(this.relay, change)
    await isGone?.()
    assert.deepEqual(
      wordsOf(this.report).filter((each) => lost.includes(each)),
      lost.filter(this.isLost),
    )
    if (putBack) await this.assertPutBack(putBack)
  }

  /** Asserts that all changes are in effect in every process. */
  async assertInEffect(): Promise<void> {
    for (const [name, change] of this.changes) {
      assert.deepEqual(this.wrongAnswers.get(name), [])
      await inEffect(this.relay, change).catch((cause: unknown) => {
        throw new Error(`${name} does not hold`, { cause })
      })
    }
  }

  private restrictionOf(tenant: string): Promise<Record<string, string>> {
    const { client, keys } = this.relay.store
    return client.hgetall(keys.restriction(tenant))
  }

  private async assertPutBack({ tenant, what }: NonNullable<Change['putBack']>): Promise<void> {
    const { store } = this.relay
    assert.deepEqual(await this.restrictionOf(tenant), this.restrictions.get(tenant))
    const audit = await readTenantAudit(store, tenant, 0)
    const entries = audit.filter((entry) => entry.what === `${what} put back`)
    assert.equal(entries.length, 1, `audit entries about ${tenant}`)
    assert.deepEqual(
      this.report.putBack.filter(({ subject }) => subject === tenant).map((each) => each.what),
      [what],
    )
    const { event } = this.restrictions.get(tenant)!
    if (event !== undefined) {
      await waitFor(async () => (await published(store)).includes(event))
      const all = await published(store)
      assert.equal(all.filter((id) => id === event).length, 1, `events about ${tenant}`)
    }
    const wrong = what === 'restriction' ? 'unblocked' : 'blocked'
    assert.doesNotMatch(this.log, new RegExp(`\\] ${wrong}\\b.*${tenant}\\b`))
  }
}

/** A tenant that is restricted, and known to be in every process. */
async function restricted(
  relay: AnyRelay,
  id: string,
  domains = [`${id}.example`],
): Promise<TestTenant> {
  const tenant = await relay.tenant(id, { domains })
  await relay.restrictions.place(id, { ...ABUSE, scope: 'unregistered' })
  await gets(relay, tenant.session, LURE, REPLY.blocked)
  return tenant
}

/** Waits until a change is in effect in every process. */
async function inEffect(relay: AnyRelay, { mail, holds }: Change): Promise<void> {
  for (const { session, from, answer } of mail?.() ?? []) await gets(relay, session, from, answer)
  await holds?.()
}

/** Whether a process that knows its tenant needs no Redis to give that answer. */
function isSteady({ from, answer }: Answered): boolean {
  return from !== LURE || answer !== PASSES
}

/** Sends mail again and again; returns the other answers that it gets. */
async function wrongAmong(
  relay: AnyRelay,
  mail: readonly Answered[],
  isOver: () => boolean,
): Promise<string[]> {
  const wrong: string[] = []
  while (mail.length > 0 && !isOver()) {
    for (const { session, from, answer } of mail) {
      const { last } = await relay.haraka.send({ from, to: FAR, session })
      if (!last.raw.startsWith(answer)) wrong.push(`${from}: ${last.raw}`)
      await sleep(PAUSE)
    }
  }
  return wrong
}

/** Waits until a message gets an answer that begins so from every process: the first negative one, else the last one. */
async function gets(
  relay: AnyRelay,
  session: SessionOptions,
  from: string,
  answer: string,
): Promise<void> {
  await inEveryProcess(`${answer.trim()} to mail from ${from}`, async () => {
    const { last } = await relay.haraka.send({ from, to: FAR, session })
    return last.raw.startsWith(answer)
  })
}

/** Waits until the mail of a tenant is of this class in every process. */
async function classed(relay: AnyRelay, tenant: TestTenant, from: string, expected: string) {
  const { sink } = relay.haraka
  await inEveryProcess(`mail from ${from} is ${expected}`, async () => {
    const sent = await tenant.send({ from, to: FAR, headers: { 'X-Sink': 'probe' } })
    assert.ok(sent.delivered, String(sent.last))
    const note = sink.probes().findLast(({ mailFrom }) => mailFrom === from)?.note
    return (note as { class?: string } | undefined)?.class === expected
  })
}

/** Waits until a session has this outcome in every process; they take the sessions in turn. */
async function inEveryProcess(what: string, session: () => Promise<boolean>): Promise<void> {
  let row = 0
  await waitFor(async () => (row = (await session()) ? row + 1 : 0) === 3 * NODES, { what })
}

function owned(domain: string) {
  return { domain, subdomains: false, shared: false }
}

/** The connector `mx` of a tenant, as {@link wordsOf} describes it. */
function of({ session }: TestTenant): string {
  return `${session.localAddress}/32`
}

/** `SUBJECT WHAT: WAS → IS` of each lost change, in order. */
function wordsOf({ lost }: LostReport): string[] {
  return lost
    .flatMap(({ subject, changes }) =>
      changes.map(({ what, was, is }) => {
        const brief = (value: string | null): string => {
          if (value === null) return 'nothing'
          if (what === 'tenant') return 'added'
          return what === 'connector' ? connectorText(JSON.parse(value) as Connector) : value
        }
        return `${subject} ${what}: ${brief(was)} → ${brief(is)}`
      }),
    )
    .sort()
}

function connectorText({ ip, enabled, blocked }: Connector): string {
  return `${ip.join()}${enabled ? '' : ' disabled'}${blocked ? ' blocked' : ''}`
}
