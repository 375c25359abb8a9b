import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { leastRole, type Operation } from '../../src/operations/roles'
import { atLeast, ROLES } from '../../src/records/role'

const FOLDER = path.join(__dirname, '../../src/operations')

/** What the console cannot do, and why: these have no role. */
const NOT_IN_CONSOLE: Readonly<Record<string, string>> = {
  purgeAll: 'it erases for good',
  purgeTenant: 'it erases for good',
  assertUnused: 'part of purgeAll',
  countKeys: 'part of purgeAll',
  acceptRedis: 'a registry is accepted on a host that knows the one before',
  restoreKnown: 'what is lost is restored on a host that knows it',
  readPrune: 'the tenants file is at a host',
  attach: 'the tenants file is at a host',
  detach: 'the tenants file is at a host',
  pastNewLimits: 'the tenants file is at a host',
  countPastDefaults: 'the ini file is at a host',
  tenantsWithForwards: 'the ini file is at a host',
  decideContacts: 'a process does it by itself',
  carryOut: 'the host with the queue does it',
  readQueue: 'the host with the queue does it',
  listQueue: 'the host with the queue does it',
  dropFromQueue: 'the host with the queue does it',
  noteShown: 'part of askQueues',
  finishRemoval: 'part of removeTenant',
  lift: 'unblock does it, and asks the processes',
  restrictedSince: 'many restrictions are lifted by a command, which can be stopped',
  unblockListed: 'many restrictions are lifted by a command, which can be stopped',
  snooze: 'alerts are told apart by a command',
  unsnooze: 'alerts are told apart by a command',
}

/** Every function of the room that promises something, by its name. */
function operations(): Map<string, Operation> {
  const all = new Map<string, Operation>()
  for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.ts'))) {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- the names are known only now
    const exported = require(path.join(FOLDER, file)) as Record<string, unknown>
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value === 'function' && value.constructor.name === 'AsyncFunction') {
        all.set(name, value as Operation)
      }
    }
  }
  return all
}

describe('the operations', () => {
  const all = operations()

  it('each say which role they take, or why the console does not have them', () => {
    assert.ok(all.size > 20, `only ${all.size} operations were found`)
    const undecided = [...all].filter(
      ([name, operation]) => leastRole(operation) === undefined && !(name in NOT_IN_CONSOLE),
    )
    assert.deepEqual(
      undecided.map(([name]) => name),
      [],
    )
  })

  it('are in the console, or have a reason why not, and never both', () => {
    for (const name of Object.keys(NOT_IN_CONSOLE)) {
      const operation = all.get(name)
      assert.ok(operation, `there is no operation ${name}`)
      assert.equal(leastRole(operation), undefined, `${name} has a role`)
    }
  })
})

describe('a role', () => {
  it('may do what takes less, and nothing that takes more', () => {
    const allowed = ROLES.map((role) => ROLES.filter((least) => atLeast(role, least)))
    assert.deepEqual(allowed, [['viewer'], ['viewer', 'operator'], ['viewer', 'operator', 'admin']])
  })
})
