// Random changes, and a Redis that goes back to random moments: every process keeps to the latest value of each thing.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { randomFrom } from '../../scripts/services/random'
import { waitFor } from '../../scripts/services/wait-for'
import { UserError } from '../../src/base/errors'
import type { Mode } from '../../src/mail/mode'
import type { Scope } from '../../src/mail/scope'
import { formatFlags } from '../../src/registry/formats'
import { ProcessSite, type TestProcess } from '../support/processes'
import { runs, SEED } from '../support/seed'

const TENANTS = ['alpha', 'beta', 'gamma']
const MODES: Mode[] = ['enforce', 'monitor', 'off']
const SCOPES: Scope[] = ['unregistered', 'all']
const BY = { by: 'ann', reason: 'why' }
const PATIENCE = 60_000

/** What is in effect of a tenant. */
interface Expected {
  mode: string
  restricted: string | undefined
  /** Its connector is blocked. */
  blocked: boolean
  enabled: boolean
  /** Domain → flags. */
  domains: Record<string, string>
}

it(`the latest value is in effect in every process (SEED=${SEED})`, async (t) => {
  const random = randomFrom(SEED)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const site = await ProcessSite.open(t, 2)
  const { tenants, domains, connectors } = site.registry
  const model = new Map<string, Expected>()
  for (const [at, id] of TENANTS.entries()) {
    await tenants.add(id, { mode: 'enforce' }, 'ann')
    await connectors.add(id, 'mx', { ip: [`198.51.100.${at + 1}/32`] }, 'ann')
    model.set(id, {
      mode: 'enforce',
      ...{ restricted: undefined, blocked: false, enabled: true, domains: {} },
    })
  }
  const history: string[] = []

  /** One change, as an operator makes it: what Redis refuses, or holds already, changes nothing. */
  const change = async (id: string): Promise<void> => {
    const expected = model.get(id)!
    const name = `${pick(['one', 'two', 'three'])}.${id}.example`
    const changes: Record<string, () => Promise<boolean>> = {
      mode: async () => {
        const mode = pick(MODES)
        const isNew = (await tenants.set(id, { mode })) === 'changed'
        if (isNew) expected.mode = mode
        return isNew
      },
      place: async () => {
        const scope = pick(SCOPES)
        const result = await site.restrictions.place(id, { ...BY, scope })
        // A wider one that Redis has lost stays in effect.
        if (result !== 'unchanged' && expected.restricted !== 'all') expected.restricted = scope
        return result !== 'unchanged'
      },
      lift: async () => {
        const result = await site.restrictions.lift(id, { ...BY, keepUsage: false })
        if (result === 'lifted') expected.restricted = undefined
        return result === 'lifted'
      },
      block: async () => {
        const result = await connectors.block(id, 'mx', BY)
        if (result === 'blocked') Object.assign(expected, { blocked: true })
        return result === 'blocked'
      },
      unblock: async () => {
        const result = await connectors.unblock(id, 'mx', BY)
        if (result === 'unblocked') expected.blocked = false
        return result === 'unblocked'
      },
      enable: async () => {
        const enabled = random() < 0.5
        const result = await connectors.setEnabled(id, 'mx', enabled)
        if (result === 'changed') expected.enabled = enabled
        return result === 'changed'
      },
      put: async () => {
        const entry = { domain: name, subdomains: random() < 0.5, shared: random() < 0.3 }
        const [before] = (await domains.list(id)).filter(({ domain }) => domain === name)
        await domains.put(id, [entry], 'ann')
        const isNew = !before || formatFlags(before) !== formatFlags(entry)
        if (isNew) expected.domains[name] = formatFlags(entry)
        return isNew
      },
      remove: async () => {
        const isThere = (await domains.list(id)).some(({ domain }) => domain === name)
        await domains.remove(id, [name])
        if (isThere) delete expected.domains[name]
        return isThere
      },
    }
    const kind = pick(Object.keys(changes))
    try {
      if (await changes[kind]!()) history.push(`${kind} ${id}`)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
    }
  }

  const agree = async (): Promise<void> => {
    await site.allHaveHeard()
    for (const process of site.processes) {
      for (const [id, expected] of model) {
        let found: Expected | undefined
        await waitFor(
          async () => {
            found = await inEffect(process, id)
            return JSON.stringify(found) === JSON.stringify(sorted(expected))
          },
          { timeout: PATIENCE, interval: 50 },
        ).catch(() => {
          assert.deepEqual(found, sorted(expected), `${id} after ${history.join(', ')}`)
        })
      }
    }
  }

  let moments: (() => Promise<void>)[] = []
  for (let turn = 0; turn < runs(10); turn++) {
    for (let left = 12; left > 0; left--) {
      await change(pick(TENANTS))
      // Else a value that is changed twice may be read as unchanged.
      await site.allHaveHeard()
      if (random() < 0.2) {
        moments.push(await site.save())
        history.push(`save ${moments.length}`)
      }
    }
    await agree()
    if (moments.length === 0) continue
    const to = Math.floor(random() * moments.length)
    history.push(`BACK ${to + 1}`)
    await moments[to]!()
    // Later ones are not of this past.
    moments = moments.slice(0, to + 1)
    await agree()
  }
})

async function inEffect({ engine }: TestProcess, id: string): Promise<Expected | undefined> {
  const { directory } = engine
  const snapshot = await directory.load(id)
  const connector = directory.connectors?.get(`${id}/mx`)
  if (!snapshot || !connector) return undefined
  const { mode = '', restricted, domains } = snapshot
  return sorted({
    ...{ mode, restricted, blocked: connector.blocked !== undefined, enabled: connector.enabled },
    domains: Object.fromEntries([...domains].map(([name, flags]) => [name, formatFlags(flags)])),
  })
}

function sorted({ domains, ...rest }: Expected): Expected {
  return { ...rest, domains: Object.fromEntries(Object.entries(domains).sort()) }
}
