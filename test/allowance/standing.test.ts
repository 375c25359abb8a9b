import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { waitFor } from '../../scripts/services/wait-for'
import { Restrictions } from '../../src/allowance/restriction'
import {
  accepted,
  compare,
  readStanding,
  type Standing,
  type StandingRead,
} from '../../src/allowance/standing'
import type { Scope } from '../../src/mail/scope'
import { parseChange } from '../../src/registry/changes'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { Registries } from '../support/registries'
import { startRedis, type TestRedis } from '../support/redis'

const CREATED = '1764000000000'
const READ: StandingRead = { created: CREATED, restriction: undefined, liftedAt: 0, mark: 0 }

function restriction(since: number, scope: Scope = 'unregistered') {
  return { scope, since: String(since) }
}

function restricted(since: number, scope?: Scope): Standing {
  return { created: CREATED, restriction: restriction(since, scope), lift: undefined }
}

function lifted(at: number, since: number): Standing {
  const lift = { at: String(at), since: String(since) }
  return { created: CREATED, restriction: undefined, lift }
}

describe('a known restriction', () => {
  const cases: readonly [string, Partial<StandingRead>, string, Standing?][] = [
    ['is put back where Redis has neither it nor its lift', {}, 'restriction back'],
    ['is put back after an earlier lift', { liftedAt: 4 }, 'restriction back'],
    ['is over after a lift of that moment', { liftedAt: 5 }, 'accept'],
    ['is over after a later lift', { liftedAt: 6 }, 'accept'],
    ['is there', { restriction: restriction(5) }, 'accept'],
    ['gives way to a later one', { restriction: restriction(6) }, 'accept'],
    ['replaces an earlier one', { restriction: restriction(4) }, 'restriction back'],
    ['was widened', { restriction: restriction(6, 'all') }, 'accept'],
    [
      'is widened again where its scope has become narrower',
      { restriction: restriction(6) },
      'restriction back',
      restricted(5, 'all'),
    ],
    ['is not that of a later tenant of that id', { created: '1764000000001' }, 'accept'],
    ['is kept, and not put back, on an earlier tenant of that id', { created: '1' }, 'keep'],
  ]
  for (const [name, read, verdict, known = restricted(5)] of cases) {
    it(name, () => assert.equal(compare(known, { ...READ, ...read }), verdict))
  }
})

describe('a known lift', () => {
  const cases: readonly [string, Partial<StandingRead>, string][] = [
    ['is put back where Redis holds the restriction', { restriction: restriction(5) }, 'lift back'],
    ['is put back where Redis holds neither', {}, 'lift back'],
    ['is put back over an earlier restriction', { restriction: restriction(3) }, 'lift back'],
    ['is there', { liftedAt: 9 }, 'accept'],
    ['gives way to a later restriction', { restriction: restriction(10), liftedAt: 9 }, 'accept'],
    [
      'gives way to a restriction of a clock that was set back',
      { restriction: restriction(7) },
      'accept',
    ],
  ]
  for (const [name, read, verdict] of cases) {
    it(name, () => assert.equal(compare(lifted(9, 5), { ...READ, ...read }), verdict))
  }

  it('stays known until there is a later restriction', () => {
    const known = lifted(9, 5)
    assert.equal(accepted(known, { ...READ, liftedAt: 9 }).lift, known.lift)
    assert.equal(accepted(known, { ...READ, restriction: restriction(10) }).lift, undefined)
  })
})

describe('after a return of Redis', () => {
  let redis: TestRedis
  let store: Store
  let restrictions: Restrictions
  let heard: Standing | undefined
  let changes = 0

  before(async () => {
    redis = await startRedis()
    store = new Store(redis.client(), new Keys('ud:'))
    restrictions = new Restrictions(store)
    const listener = redis.client()
    await listener.subscribe(store.keys.changes)
    listener.on('message', (_channel: string, message: string) => {
      const change = parseChange(message)
      if (!change || !('tenant' in change)) return
      const { about } = change
      if (about.what === 'restriction') heard = { ...about, lift: undefined }
      else if (about.what === 'lift') heard = { ...about, restriction: undefined }
      changes++
    })
  })
  after(() => redis.stop())

  const act = { by: 'ann', reason: 'abuse' }
  const OPERATIONS = {
    place: () => restrictions.place('contoso', { ...act, scope: 'unregistered' }),
    widen: () => restrictions.place('contoso', { ...act, scope: 'all' }),
    lift: () => restrictions.lift('contoso', { ...act, keepUsage: false }),
  } as const
  type Operation = keyof typeof OPERATIONS

  /** A tenant at one moment: what Redis holds, and what a process knows that has heard everything. */
  interface Moment {
    readonly dumps: readonly (readonly [string, Buffer])[]
    readonly known: Standing | undefined
    readonly scope: string | undefined
  }

  async function moment(): Promise<Moment> {
    const { client, keys } = store
    const names = [keys.tenant('contoso'), keys.restriction('contoso')]
    const dumps = await Promise.all(
      names.map(async (name) => [name, await client.dumpBuffer(name)] as const),
    )
    const scope = (await readStanding(store, 'contoso'))?.restriction?.['scope']
    return { dumps: dumps.filter(([, dump]) => dump !== null), known: heard, scope }
  }

  async function history(operations: readonly Operation[]): Promise<Moment[]> {
    await store.client.flushall()
    await new Registries(store).tenants.add('contoso', {}, 'test')
    heard = undefined
    const moments = [await moment()]
    for (const operation of operations) {
      const before = changes
      const result = await OPERATIONS[operation]().catch(() => 'unchanged')
      if (result !== 'unchanged') await waitFor(() => changes > before)
      moments.push(await moment())
    }
    return moments
  }

  /** What a process does when it reads the tenant. @returns whether it has changed anything. */
  async function look(process: { known: Standing | undefined }): Promise<boolean> {
    const read = (await readStanding(store, 'contoso'))!
    const { known } = process
    const verdict = known ? compare(known, read) : 'accept'
    switch (verdict) {
      case 'accept':
        process.known = accepted(known, read)
        return false
      case 'restriction back':
        return restrictions.putBack('contoso', known!.created, known!.restriction!)
      case 'lift back':
        return restrictions.putLiftBack('contoso', known!.created, known!.lift!)
      default:
        return assert.fail(verdict)
    }
  }

  it('the latest restriction or lift that any process knows is in effect in the end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom<Operation>('place', 'widen', 'lift'), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.nat(),
        fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
        async (operations, goesBackTo, hears, turns) => {
          const moments = await history(operations)
          const at = (number: number): number => number % moments.length
          const back = at(goesBackTo)
          const processes = hears.map((each) => ({ known: moments[at(each)]!.known }))
          const { client, keys } = store
          await client.unlink(keys.tenant('contoso'), keys.restriction('contoso'))
          for (const [name, dump] of moments[back]!.dumps) await client.restore(name, 0, dump)
          for (const turn of turns) await look(processes[turn % processes.length]!)
          for (let round = 0; ; round++) {
            let isDone = true
            for (const process of processes) if (await look(process)) isDone = false
            if (isDone) break
            assert.ok(round < 10, 'the processes never agree')
          }
          const latest = moments[Math.max(back, ...hears.map(at))]!
          const now = (await readStanding(store, 'contoso'))?.restriction?.['scope']
          assert.equal(now !== undefined, latest.scope !== undefined)
          // A scope is narrowed by a lift only, and that may be lost.
          if (latest.scope === 'all') assert.equal(now, 'all')
        },
      ),
      { numRuns: 150 },
    )
  })
})
