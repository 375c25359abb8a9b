// No address may throw, pass as registered, or yield a text that is not a domain. Each goes through the parsers of
// every Haraka version, as on the way to the hooks.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { addressText, envelopeDomain, type HarakaAddress } from '../../src/names/envelope'
import { standingOf } from '../../src/decision/classify'
import { judge, type Judgement, type Stage } from '../../src/decision/judge'
import type { Snapshot } from '../../src/directory/snapshot'
import { LIBRARIES } from '../support/envelope-libraries'
import { ACCEPTED, CORPUS, hostilePath } from '../support/hostile-addresses'
import { ATTRIBUTED, configWith, snapshotWith } from '../support/judgement'
import { mayBeRegistered } from '../support/name-model'
import { runs, SEED } from '../support/seed'

const LDH =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
const STAGES: readonly Stage[] = ['mail', 'rcpt', 'rcpt_ok']
/** The most cases for libraries with their own parser. */
const USUAL: Readonly<Record<string, number>> = { 'Haraka 3.1': 10_000, 'Haraka 3.3': 15_000 }
const config = configWith()
const open: Snapshot = { ...snapshotWith(), domains: ACCEPTED }
const restricted: Snapshot = { ...open, restricted: 'unregistered', restrictedBy: 'automatic' }

/** `undefined` where Haraka answers 501. */
function parsed(parse: (text: string) => HarakaAddress, path: string): HarakaAddress | undefined {
  try {
    return parse(path)
  } catch {
    return undefined
  }
}

function verdictsOn(
  sender: HarakaAddress,
  recipient: HarakaAddress | undefined,
  snapshot: Snapshot,
): Judgement['verdict'][] {
  const standing = standingOf(envelopeDomain(sender), snapshot)
  return STAGES.map((stage) => {
    const about = { attribution: ATTRIBUTED, snapshot, sender: standing, config }
    const offered = stage === 'mail' ? undefined : recipient
    return judge({ stage, relaying: true, recipient: offered, ...about }).verdict
  })
}

function isAscii({ original_host: host }: HarakaAddress): boolean {
  return /^[\0-\x7f]*$/.test(String(host ?? ''))
}

/** Classifies an address, and checks its invariants. */
function check(address: HarakaAddress, far: HarakaAddress): 'null' | 'registered' | 'unregistered' {
  const found = envelopeDomain(address)
  assert.equal(typeof addressText(address), 'string')
  if (found.kind === 'null') {
    assert.equal(address.isNull(), true)
    assert.deepEqual(verdictsOn(address, far, restricted), ['charge', 'charge', 'charge'])
    return 'null'
  }
  assert.equal(address.isNull(), false)
  if (found.kind === 'domain') assert.match(found.domain, LDH)

  const { class: senderClass, domain } = standingOf(found, open)
  const registered = senderClass === 'registered'
  const allowed = mayBeRegistered(address, ACCEPTED)
  if (registered || isAscii(address)) assert.equal(registered, allowed)
  if (!registered) assert.equal(senderClass, 'unregistered')
  assert.equal(domain, found.kind === 'domain' ? found.domain : undefined)
  const [ok, blocked] = registered ? ['pass', 'pass'] : ['charge', 'refuse']
  assert.deepEqual(verdictsOn(address, far, open), [ok, ok, ok])
  assert.deepEqual(verdictsOn(address, far, restricted), [blocked, blocked, blocked])
  // As a recipient: only the tenant's own domains are not relay.
  assert.deepEqual(verdictsOn(far, address, restricted), [
    'refuse',
    ...(registered ? ['pass', 'pass'] : ['refuse', 'refuse']),
  ])
  return registered ? 'registered' : 'unregistered'
}

for (const [library, parse] of Object.entries(LIBRARIES)) {
  const far = parse('<someone@far.example>')

  describe(`hostile addresses, ${library}`, () => {
    it(`${CORPUS.length} hand-picked ones`, () => {
      for (const [name, path] of CORPUS) {
        const address = parsed(parse, path)
        if (!address) continue
        try {
          check(address, far)
        } catch (error) {
          throw new Error(`${name}: ${JSON.stringify(path)}`, { cause: error })
        }
      }
    })

    const numRuns = runs(USUAL[library] ?? 5000)
    it(`${numRuns} generated ones (SEED=${SEED})`, (t) => {
      const seen = { null: 0, registered: 0, unregistered: 0, refused: 0 }
      fc.assert(
        fc.property(hostilePath, (path) => {
          const address = parsed(parse, path)
          seen[address ? check(address, far) : 'refused']++
        }),
        { numRuns, seed: SEED },
      )
      t.diagnostic(`${library}: ${JSON.stringify(seen)}`)
      // Otherwise the grammar makes nothing of interest.
      if (numRuns < 1000) return
      assert.ok(
        seen.registered > numRuns / 50 && seen.unregistered > numRuns / 10,
        JSON.stringify(seen),
      )
    })
  })
}
