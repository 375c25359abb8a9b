import assert from 'node:assert/strict'
import path from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { waitFor } from '../../scripts/services/wait-for'
import { scratchDir } from '../../scripts/services/scratch'
import { readAudit } from '../../src/audit/reader'
import { Directory } from '../../src/directory/directory'
import { openSnapshotFile } from '../../src/directory/snapshot-file'
import {
  pauseEnforcement,
  pauseInEffect,
  putPauseBack,
  readPause,
  resumeEnforcement,
} from '../../src/enforcement/pause'
import { KnownPause } from '../../src/enforcement/known-pause'
import { acceptContent, ensureEpoch } from '../../src/registry/epoch'
import { writeLines } from '../../src/registry-file/write-file'
import type { Store } from '../../src/store/store'
import { newSite, useRedis } from '../support/registry'

useRedis()

const HOUR = 3_600_000
const ACT = { by: 'ann', reason: 'limits had been set too low' }

const pause = (store: Store, duration = HOUR, everything = false) =>
  pauseEnforcement(store, { ...ACT, duration, everything, words: 'for 1h' })

describe('the pause of enforcement in Redis', () => {
  it('is what a person said, for the time that was given', async () => {
    const { store } = newSite()
    assert.equal((await readPause(store)).change, undefined)
    const { mark, at, ...rest } = await pause(store, HOUR, true)
    const expected = { ...ACT, state: 'paused', first: mark, until: at + HOUR, everything: true }
    assert.deepEqual(rest, expected)
    const read = await readPause(store)
    assert.deepEqual(read.change, { ...rest, mark, at })
    assert.equal(pauseInEffect(read)?.mark, mark)
    assert.equal(pauseInEffect({ ...read, now: at + HOUR }), undefined)
    assert.equal(at, Math.floor(mark / 1000))
  })

  it('goes on where it is paused again, and each change is later than the one before', async () => {
    const { store } = newSite()
    const [first, again] = [await pause(store), await pause(store, 2 * HOUR)]
    assert.equal(again.first, first.mark)
    assert.ok(again.mark > first.mark)
    const resumed = await resumeEnforcement(store, { by: 'bob', reason: 'corrected' })
    assert.ok(resumed.mark > again.mark)
    assert.deepEqual([resumed.state, resumed.first, resumed.by], ['resumed', first.mark, 'bob'])
    assert.equal(pauseInEffect(await readPause(store)), undefined)
    assert.equal((await resumeEnforcement(store, ACT)).first, 0)
    assert.ok((await pause(store)).first > resumed.mark)
  })

  it('is in the audit trail of the registry as a whole, and in that of each tenant', async () => {
    const { store, registry } = newSite()
    await registry.tenants.add('contoso', {}, 'test')
    await pause(store)
    await resumeEnforcement(store, ACT)
    for (const tenant of [undefined, 'contoso']) {
      const entries = await readAudit(store, { tenant, from: 0, to: Infinity })
      const ours = entries.filter(({ what }) => what.startsWith('enforcement'))
      assert.deepEqual(
        ours.map(({ subject, what, from, to }) => [subject, what, from, to]),
        [
          ['', 'enforcement paused', '', 'for 1h'],
          ['', 'enforcement resumed', 'paused', ACT.reason],
        ],
      )
    }
  })

  it('is announced so that a version that does not know it checks the registry', async () => {
    const site = newSite()
    const { store } = site
    const heard = await site.changes()
    const { mark } = await pause(store)
    assert.deepEqual(await heard.read(), [{ registry: 'pause', pause: String(mark) }])
  })
})

const isPaused = ({ pause }: Directory): boolean => pause.inEffect !== undefined

describe('the pause of enforcement in a process', () => {
  const directories: Directory[] = []
  afterEach(() => directories.splice(0).forEach((each) => each.stop()))

  async function process(site = newSite()) {
    const errors: string[] = []
    let changes = 0
    await ensureEpoch(site.store)
    const own = site.connect()
    const directory = new Directory(own, {
      onReady: () => {},
      onRestriction: () => {},
      onError: (message) => errors.push(message),
      onPause: () => changes++,
    })
    directories.push(directory)
    directory.follow(site.connect().client)
    await waitFor(() => directory.isCurrent)
    return { ...site, directory, errors, own, changes: () => changes }
  }

  it('begins and ends when it is announced', async () => {
    const { store, directory, changes } = await process()
    assert.ok(!isPaused(directory))
    const { until } = await pause(store)
    await waitFor(() => directory.pause.inEffect)
    assert.equal(directory.pause.inEffect?.until, until)
    await pause(store, HOUR, true)
    await waitFor(() => directory.pause.inEffect?.everything)
    const { mark } = await resumeEnforcement(store, ACT)
    await waitFor(() => !directory.pause.inEffect)
    assert.deepEqual([directory.pause.mark, changes()], [mark, 3])
  })

  it('is in effect in a process that starts in it, and one that missed the announcement reads it again', async () => {
    const site = newSite()
    await pause(site.store)
    const { directory, own, store } = await process(site)
    assert.ok(directory.pause.inEffect)
    own.client.disconnect(true)
    await store.client.hset(store.keys.pause, { state: 'resumed', mark: directory.pause.mark + 1 })
    await waitFor(() => !directory.pause.inEffect)
  })

  it('ends by itself without a command, also while Redis is away', async () => {
    const { store, directory, own, changes } = await process()
    await pause(store, 1500)
    await waitFor(() => directory.pause.inEffect)
    own.client.disconnect()
    await waitFor(() => !directory.pause.inEffect)
    assert.equal(changes(), 2)
  })

  it('stays as it is where Redis has lost a pause or a resume, which are put back', async () => {
    const { store, directory, changes } = await process()
    const { client, keys } = store
    const paused = await pause(store)
    await waitFor(() => directory.pause.inEffect)
    await client.del(keys.pause)
    await directory.readPause()
    assert.ok(directory.pause.inEffect)
    assert.deepEqual((await readPause(store)).change, paused)

    const resumed = await resumeEnforcement(store, ACT)
    await waitFor(() => !directory.pause.inEffect)
    await client.hset(keys.pause, { ...paused, everything: '' })
    await directory.readPause()
    assert.equal(directory.pause.inEffect, undefined)
    assert.deepEqual((await readPause(store)).change, resumed)
    assert.equal(changes(), 2)
    await putPauseBack(store, paused)
    assert.deepEqual((await readPause(store)).change, resumed)
  })

  it('is what Redis holds once an operator has accepted that', async () => {
    const { store, directory } = await process()
    await pause(store)
    await waitFor(() => directory.pause.inEffect)
    await store.client.del(store.keys.pause)
    await acceptContent(store)
    await waitFor(() => !directory.pause.inEffect)
    assert.equal((await readPause(store)).change, undefined)
  })

  it('is not known with an ACL that forbids to read it, and the rest goes on', async () => {
    const site = newSite()
    const { client, keys } = site.store
    await pause(site.store)
    const rules = ['on', 'nopass', 'allchannels', '+@all', 'resetkeys', ...oldKeys(keys.prefix)]
    await client.call('ACL', 'SETUSER', 'old', ...rules)
    const connect = () => {
      const store = site.connect()
      void store.client.call('AUTH', 'old', 'any')
      return store
    }
    const { directory, errors } = await process({ ...site, connect })
    assert.equal(directory.pause.inEffect, undefined)
    assert.match(errors.join(), /load docs\/acl\/plugin\.acl/)
  })
})

/** Those of the registry. */
const oldKeys = (prefix: string): string[] =>
  ['{@tenants}*', '{@connectors}*', '{@owners}*', '{@events}*', '{@restricted}'].map(
    (each) => `~${prefix}${each}`,
  )

describe('the pause of enforcement in the snapshot file', () => {
  const header = {
    ...({ kind: 'snapshot', prefix: 'ud:', epoch: 'e1', schema: '1.0' } as const),
    ...{ createdAt: 1, omitted: 0 },
  }

  it('is read as it was written, and a file without one has none', async () => {
    const { store } = newSite()
    const change = await pause(store, HOUR, true)
    const file = path.join(scratchDir('snapshot'), 'snapshot.jsonl')
    for (const paused of [change, undefined]) {
      await writeLines(file, { ...header, pause: paused }, [])
      const opened = await openSnapshotFile(file, 'ud:')
      assert.deepEqual(opened?.pause, paused)
      await opened?.close()
    }
  })

  it('is honoured until its end only', () => {
    const now = Date.now()
    const change = {
      ...({ state: 'paused', mark: now * 1000, first: now * 1000, at: now } as const),
      ...{ ...ACT, until: now + HOUR, everything: false },
    }
    const known = new KnownPause(() => {})
    known.adopt({ now: now + HOUR, change }, performance.now())
    assert.deepEqual([known.inEffect], [undefined])
    known.adopt({ now: now + HOUR - 60_000, change }, performance.now())
    assert.equal(known.inEffect?.until, change.until)
    known.forget()
    assert.deepEqual([known.inEffect, known.mark], [undefined, 0])
  })
})
