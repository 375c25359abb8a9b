import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { scratchDir } from '../../scripts/services/scratch'
import { backup, type BackupReport } from '../../src/backup/backup'
import { writeLines } from '../../src/registry-file/write-file'
import { openRecords } from '../../src/registry-file/read-file'
import { restore, type RestoreReport } from '../../src/backup/restore'
import { unfinishedRestore } from '../../src/backup/unfinished'
import { Restrictions } from '../../src/allowance/restriction'
import type { Store } from '../../src/store/store'
import { confirmEpoch, ensureEpoch, readEpoch } from '../../src/registry/epoch'
import { Registries } from '../support/registries'
import { Allowance } from '../support/allowance'
import { assertConsistent, errorOf, newSite, useRedis, type Site } from '../support/registry'

useRedis()

const BY = 'root'

function newFile(): string {
  return path.join(scratchDir('backup'), 'backup.jsonl')
}

function backUp(store: Store, file: string): Promise<BackupReport> {
  return backup(store, (header, lines) => writeLines(file, header, lines, { verify: true }))
}

async function restoreFrom(
  store: Store,
  file: string,
  options?: { force?: boolean },
): Promise<RestoreReport> {
  const opened = await openRecords(file)
  try {
    return await restore(store, opened, options)
  } finally {
    await opened.close()
  }
}

async function wipe({ client, keys }: Store): Promise<void> {
  const names = await client.keys(`${keys.prefix}*`)
  if (names.length > 0) await client.del(...names)
}

/**
 * Every key of a registry, byte by byte and sorted. Leaves out what is transient (receipts, tokens, the owner version,
 * waiting events), and audit trails, which have an entry of the restore.
 */
async function contentOf({ client, keys }: Store): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {}
  for (const key of (await client.keys(`${keys.prefix}*`)).sort()) {
    if (/:receipt:|:audit$/.test(key) || [keys.connectorsToken, keys.ownerVersion].includes(key))
      continue
    const name = key.slice(keys.prefix.length)
    const type = await client.type(key)
    if (type === 'hash') {
      const fields = Object.entries(await client.hgetallBuffer(key)).map(
        ([field, octets]) => [field, octets.toString('latin1')] as const,
      )
      const tenant = /^\{[^@}]*\}$/.test(name)
      const lasting = fields.filter(
        ([field]) =>
          !(tenant && ['domains', 'state', 'events'].includes(field)) &&
          !(key === keys.epoch && !['epoch', 'schema'].includes(field)),
      )
      content[name] = Object.fromEntries(lasting.sort())
    } else if (type === 'set') content[name] = (await client.smembers(key)).sort()
    else if (type === 'zset') content[name] = await client.zrange(key, '0', '-1')
    else content[name] = await client.get(key)
  }
  return content
}

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

/** A site that has every kind of record. */
async function fullSite(): Promise<Site> {
  const site = newSite()
  const { registry, store } = site
  await ensureEpoch(store)
  await registry.tenants.add(
    'contoso',
    {
      ...{ name: 'Contoso “Ltd” Ü', limits: '5/1h, 50/1d defer' },
      temporaryLimits: '9/1h until 2030-01-01T00:00:00Z',
    },
    BY,
  )
  await registry.tenants.add(
    'fabrikam',
    { mode: 'monitor', nullLimits: 'unlimited', contact: 'ann@webmail.example' },
    BY,
  )
  await registry.tenants.add('adatum', {}, BY)
  const wide = { domain: 'contoso.net', subdomains: true, shared: false }
  const shared = { domain: 'corp.local', subdomains: true, shared: true }
  await registry.domains.add('contoso', [plain('contoso.com'), wide, shared], BY)
  await registry.domains.add('contoso', [plain('a.contoso.net')], 'Ann of Contoso')
  await registry.domains.add('fabrikam', [plain('fabrikam.com'), shared], BY)
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1', '2001:db8::/32'] }, BY)
  await registry.connectors.add(
    'contoso',
    'web',
    { auth: ['*@contoso.com'], cert: ['*.x.example'] },
    BY,
  )
  await registry.connectors.add('fabrikam', 'mx', { certSha256: ['ab'.repeat(32)] }, BY)
  await registry.connectors.setEnabled('fabrikam', 'mx', false)
  const restrictions = new Restrictions(store)
  await restrictions.place('fabrikam', { scope: 'all', by: 'ann', reason: 'abuse – desk' })
  await restrictions.place('contoso', { scope: 'unregistered', by: 'ann', reason: 'first' })
  await restrictions.lift('contoso', { by: 'bob', reason: 'cleaned', keepUsage: false })
  return site
}

describe('restoring a backup', () => {
  it('restores every record into an empty Redis', async () => {
    const { store } = await fullSite()
    const before = await contentOf(store)
    const file = newFile()
    const { tenants, domains, connectors, restricted, ownersChanged } = await backUp(store, file)
    assert.deepEqual(
      { tenants, domains, connectors, restricted },
      { tenants: 3, domains: 6, connectors: 3, restricted: 1 },
    )
    assert.equal(ownersChanged, false)
    await wipe(store)
    const report = await restoreFrom(store, file)
    assert.equal(report.result, 'restored')
    assert.deepEqual(report.inconsistencies, [])
    assert.equal(report.leftOut.count, 0)
    assert.deepEqual(await contentOf(store), before)
    await assertConsistent(store)
    const { epoch } = (await readEpoch(store))!
    assert.equal(epoch, (before['{@tenants}:epoch'] as Record<string, string>)['epoch'])
    assert.equal(await unfinishedRestore(store), undefined)
  })

  it('leaves out unreadable rings and restores the rest', async () => {
    const { store } = await fullSite()
    const usage = store.keys.usage('contoso')
    await store.client.hset(usage, 'f3600000', '12', 'h600000', 'x', 'u1000', Buffer.alloc(256))
    const file = newFile()
    await backUp(store, file)
    await wipe(store)
    assert.equal((await restoreFrom(store, file)).result, 'restored')
    const fields = await store.client.hkeys(usage)
    assert.ok(fields.includes('u1000'))
    assert.deepEqual(
      fields.filter((field) => /^[fh]\d/.test(field)),
      [],
    )
  })

  it('works under another prefix and leaves the first one unchanged', async () => {
    const { store } = await fullSite()
    const before = await contentOf(store)
    const file = newFile()
    await backUp(store, file)
    const other = newSite()
    await restoreFrom(other.store, file)
    assert.deepEqual(await contentOf(other.store), before)
    assert.deepEqual(await contentOf(store), before)
  })

  it('a second time reports that it changed nothing, and announces nothing', async () => {
    const site = await fullSite()
    const { store } = site
    const file = newFile()
    await backUp(store, file)
    const changes = await site.changes()
    for (let times = 0; times < 2; times++) {
      const report = await restoreFrom(store, file)
      assert.equal(report.result, 'unchanged')
      assert.equal(report.written, 0)
    }
    assert.deepEqual(await changes.read(), [])
    await site.registry.tenants.add('later', {}, BY)
    assert.equal((await restoreFrom(store, file)).result, 'unchanged')
  })

  it('writes new tokens and announces them to every process', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    const tokens = () => client.hmget(keys.tenant('contoso'), 'domains', 'state')
    const before = await tokens()
    const file = newFile()
    await backUp(site.store, file)
    await wipe(site.store)
    const changes = await site.changes()
    await restoreFrom(site.store, file)
    const after = await tokens()
    assert.ok(after.every((token) => token !== null && !before.includes(token)))
    const messages = await changes.read()
    assert.ok(messages.some(({ tenant, token }) => tenant === 'contoso' && token === after[1]))
    assert.ok(messages.some(({ owners }) => owners === true))
    assert.ok(messages.some(({ connectors }) => connectors !== undefined))
    // The epoch is announced last, when all is written.
    assert.ok(messages.at(-1)!['registry'] !== undefined)
  })

  it('keeps usage: a tenant at 299 of 300 trips at the same recipient', async () => {
    const allowance = await Allowance.create({ limits: '300/1h' })
    const { store } = allowance
    await allowance.answers(299)
    const file = newFile()
    await backUp(store, file)
    await wipe(store)
    await restoreFrom(store, file)
    assert.deepEqual(await allowance.used(), [299])
    assert.deepEqual(await allowance.answers(2), ['CHARGED', 'TRIPPED'])
    await backUp(store, file)
    await wipe(store)
    await restoreFrom(store, file)
    assert.deepEqual(await allowance.answers(1), ['RESTRICTED'])
    assert.equal((await allowance.restriction())?.trigger?.used, 300)
    await allowance.lift()
    assert.deepEqual(await allowance.answers(1), ['CHARGED'])
  })

  it('keeps an interrupted move, which can then be completed', async () => {
    const site = await fullSite()
    for (const commands of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const broken = site.connectUntil(commands)
      await new Registries(broken).domains.move('contoso.com', 'adatum', BY).catch(() => {})
      const before = await contentOf(site.store)
      const file = newFile()
      await backUp(site.store, file)
      await wipe(site.store)
      await restoreFrom(site.store, file)
      assert.deepEqual(await contentOf(site.store), before, `after ${commands} commands`)
      assert.equal((await restoreFrom(site.store, file)).result, 'unchanged')
      await site.registry.domains.move('contoso.com', 'contoso', BY)
      await assertConsistent(site.store)
    }
  })

  it('is complete after an interruption at any command and a second run', async () => {
    const { store } = await fullSite()
    const before = await contentOf(store)
    const file = newFile()
    await backUp(store, file)
    let complete = false
    for (let commands = 0; !complete; commands++) {
      const site = newSite()
      const first = restoreFrom(site.connectUntil(commands), file)
      complete = await first.then(
        () => true,
        () => false,
      )
      const epoch = await readEpoch(site.store)
      const done = epoch?.epoch === (before['{@tenants}:epoch'] as Record<string, string>)['epoch']
      if (!done && (await site.store.client.scard(site.store.keys.tenants)) > 0) {
        // No process accepts the half-written registry: its epoch is automatic.
        assert.equal(epoch?.origin, 'automatic', `after ${commands} commands`)
      }
      const report = await restoreFrom(site.store, file)
      assert.deepEqual(report.inconsistencies, [])
      assert.deepEqual(await contentOf(site.store), before, `after ${commands} commands`)
    }
  })

  it('refuses another file after an interruption', async () => {
    const { store } = await fullSite()
    const file = newFile()
    await backUp(store, file)
    const other = newSite()
    await other.registry.tenants.add('other', {}, BY)
    const otherFile = newFile()
    await backUp(other.store, otherFile)
    const site = newSite()
    await errorOf(restoreFrom(site.connectUntil(30), file))
    assert.ok(await unfinishedRestore(site.store))
    const error = await errorOf(restoreFrom(site.store, otherFile))
    assert.match(error.message, /part of another file, whose restore was interrupted.*--force/)
    await restoreFrom(site.store, file)
    assert.deepEqual(await contentOf(site.store), await contentOf(store))
  })

  it('writes nothing if the file is damaged', async () => {
    const { store } = await fullSite()
    const file = newFile()
    await backUp(store, file)
    writeFileSync(file, readFileSync(file, 'utf8').replace('fabrikam.com', 'fabrikan.com'))
    const site = newSite()
    assert.match((await errorOf(restoreFrom(site.store, file))).message, /checksum/)
    assert.deepEqual(await contentOf(site.store), {})
  })

  it('refuses a later schema, in the file and in Redis', async () => {
    const site = await fullSite()
    const { client, keys } = site.store
    const file = newFile()
    await backup(site.store, (header, lines) =>
      writeLines(file, { ...header, schema: '2.0' }, lines),
    )
    const other = newSite()
    assert.match((await errorOf(restoreFrom(other.store, file))).message, /schema 2\.0/)
    assert.deepEqual(await contentOf(other.store), {})
    await backUp(site.store, file)
    await client.hset(keys.epoch, 'schema', '2.0')
    assert.match((await errorOf(backUp(site.store, file))).message, /schema 2\.0/)
    assert.match((await errorOf(restoreFrom(site.store, file))).message, /schema 2\.0/)
  })

  it('refuses to back up an empty registry, and keeps the older backup', async () => {
    const { store } = await fullSite()
    const file = newFile()
    await backUp(store, file)
    await wipe(store)
    assert.match((await errorOf(backUp(store, file))).message, /no tenant/)
    assert.equal((await restoreFrom(store, file)).tenants, 3)
  })
})

describe('restoring into a registry that holds something else', () => {
  async function changedSite(): Promise<{ site: Site; file: string }> {
    const site = await fullSite()
    const file = newFile()
    await backUp(site.store, file)
    const { registry } = site
    await registry.tenants.add('northwind', {}, BY)
    await registry.domains.add('northwind', [plain('northwind.example')], BY)
    await registry.tenants.set('contoso', { limits: '9/1h', mode: 'off' })
    await registry.domains.remove('contoso', ['contoso.com'])
    await registry.domains.add('contoso', [plain('new.example')], BY)
    await registry.connectors.remove('contoso', 'mx')
    return { site, file }
  }

  it('is refused without force, and writes nothing', async () => {
    const { site, file } = await changedSite()
    const before = await contentOf(site.store)
    const error = await errorOf(restoreFrom(site.store, file))
    assert.match(error.message, /another registry \(tenants: 4\).*contoso\.com of contoso.*--force/)
    assert.equal((error as { exitStatus?: number }).exitStatus, 4)
    assert.deepEqual(await contentOf(site.store), before)
  })

  it('with force replaces the records of the file and keeps the others', async () => {
    const { site, file } = await changedSite()
    const { registry } = site
    const report = await restoreFrom(site.store, file, { force: true })
    assert.equal(report.result, 'restored')
    const contoso = await registry.tenants.get('contoso')
    assert.equal(contoso?.limits, '5/1h, 50/1d defer')
    assert.equal(contoso.mode, undefined)
    const domains = await registry.domains.list('contoso')
    assert.deepEqual(
      domains.map(({ domain }) => domain),
      ['a.contoso.net', 'contoso.com', 'contoso.net', 'corp.local', 'new.example'],
    )
    assert.ok(await registry.connectors.get('contoso', 'mx'))
    assert.ok(await registry.tenants.get('northwind'))
    await assertConsistent(site.store)
    assert.equal((await restoreFrom(site.store, file)).result, 'unchanged')
  })

  it('with force never removes or narrows a restriction, and never lowers usage', async () => {
    const allowance = await Allowance.create({ limits: '5/1h' })
    const { store, registry, restrictions } = allowance
    await registry.tenants.add('fabrikam', {}, BY)
    await restrictions.place('fabrikam', { scope: 'unregistered', by: 'ann', reason: 'x' })
    await allowance.answers(2)
    const file = newFile()
    await backUp(store, file)
    await allowance.answers(2)
    await allowance.block('unregistered')
    await restrictions.place('fabrikam', { scope: 'all', by: 'bob', reason: 'worse' })
    await registry.tenants.set('fabrikam', { mode: 'monitor' })
    await restoreFrom(store, file, { force: true })
    assert.equal((await registry.tenants.get('fabrikam'))?.mode, undefined)
    assert.equal((await restrictions.get('fabrikam'))?.scope, 'all')
    assert.equal((await allowance.restriction())?.scope, 'unregistered')
    assert.deepEqual(await allowance.used(), [4])
    // A restriction lifted since is back: the restore cannot know why it was lifted.
    await restrictions.lift('fabrikam', { by: 'ann', reason: 'ok', keepUsage: false })
    await registry.tenants.set('fabrikam', { mode: 'monitor' })
    await restoreFrom(store, file, { force: true })
    assert.equal((await restrictions.get('fabrikam'))?.scope, 'unregistered')
    await assertConsistent(store)
  })

  it('with force changes flags of domains and of their owners', async () => {
    const { site, file } = await changedSite()
    const { registry } = site
    await registry.domains.remove('contoso', ['contoso.net', 'a.contoso.net'])
    await registry.domains.add('contoso', [plain('contoso.net')], BY)
    await registry.domains.remove('fabrikam', ['fabrikam.com'])
    await registry.domains.add('fabrikam', [{ ...plain('fabrikam.com'), subdomains: true }], BY)
    await restoreFrom(site.store, file, { force: true })
    await assertConsistent(site.store)
    const flags = new Map(
      (await registry.domains.list('contoso')).map((each) => [each.domain, each]),
    )
    assert.equal(flags.get('contoso.net')?.subdomains, true)
  })

  it('with force is refused if a name or identity belongs to others, and writes nothing', async () => {
    const { site, file } = await changedSite()
    const { registry } = site
    await registry.domains.add('northwind', [plain('contoso.com')], BY)
    await registry.connectors.add('northwind', 'mx', { ip: ['192.0.2.1'] }, BY)
    const before = await contentOf(site.store)
    const error = await errorOf(restoreFrom(site.store, file, { force: true }))
    assert.match(error.message, /nothing was written/)
    assert.match(error.message, /contoso\.com belongs to northwind/)
    assert.match(error.message, /192\.0\.2\.1\/32 belongs to connector northwind\/mx/)
    assert.deepEqual(await contentOf(site.store), before)
  })

  it('with force has the same result after an interruption at any command and a second run', async () => {
    const reference = await changedSite()
    await restoreFrom(reference.site.store, reference.file, { force: true })
    const wanted = withoutTimes(await contentOf(reference.site.store))
    let complete = false
    for (let commands = 20; !complete; commands += 3) {
      const { site, file } = await changedSite()
      complete = await restoreFrom(site.connectUntil(commands), file, { force: true }).then(
        () => true,
        () => false,
      )
      await restoreFrom(site.store, file, { force: true })
      assert.deepEqual(withoutTimes(await contentOf(site.store)), wanted, `after ${commands}`)
      await assertConsistent(site.store)
    }
  })

  it('turns an automatic epoch into one confirmed by an operator', async () => {
    const { store } = await fullSite()
    const file = newFile()
    await backUp(store, file)
    const { epoch } = (await readEpoch(store))!
    await confirmEpoch(store)
    assert.equal((await restoreFrom(store, file)).epoch, epoch)
    assert.equal((await readEpoch(store))?.origin, 'operator')
  })
})

/** Without the parts in which two sites always differ. */
function withoutTimes(content: Record<string, unknown>): string {
  return JSON.stringify(content)
    .replaceAll(/evt_[\da-f]{20}/g, 'EVENT')
    .replaceAll(/\d{13,16}(-[\da-f]{12})?/g, 'TIME')
    .replaceAll(/"epoch":"[^"]*"/g, '"epoch":""')
}

describe('any registry', () => {
  const id = fc.constantFrom('a', 'b.c', '0-_', 'x'.repeat(63), 'contoso')
  const domain = fc
    .tuple(
      fc.constantFrom('a', 'b', '_c', 'xn--bcher-kva'),
      fc.constantFrom('example', 'b.example', 'net'),
    )
    .map((labels) => labels.join('.'))
  const step = fc.oneof(
    fc.record({
      do: fc.constant('tenant' as const),
      id,
      name: fc.string({ unit: 'grapheme', maxLength: 50 }),
    }),
    fc.record({
      do: fc.constant('domain' as const),
      id,
      domain,
      subdomains: fc.boolean(),
      shared: fc.boolean(),
    }),
    fc.record({ do: fc.constant('move' as const), id, domain }),
    fc.record({ do: fc.constant('connector' as const), id, name: id, host: fc.nat(20) }),
    fc.record({ do: fc.constant('block' as const), id, all: fc.boolean() }),
    fc.record({ do: fc.constant('lift' as const), id }),
    fc.record({ do: fc.constant('charge' as const), id, times: fc.nat(4) }),
  )

  it('is the same after backup, loss and restore', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const allowance = await Allowance.create({})
        const { store, registry, restrictions } = allowance
        await ensureEpoch(store)
        const charge = async (tenant: string, times: number): Promise<void> => {
          const answers = await allowance.answers(times, { tenant })
          // The plugin does the same after a trip.
          if (answers.includes('TRIPPED')) await restrictions.index(tenant)
        }
        for (const each of steps) {
          const work = (): Promise<unknown> => {
            switch (each.do) {
              case 'tenant':
                return registry.tenants.add(each.id, { name: each.name }, BY)
              case 'domain':
                return registry.domains.add(each.id, [each], BY)
              case 'move':
                return registry.domains.move(each.domain, each.id, BY)
              case 'connector':
                return registry.connectors.add(
                  each.id,
                  each.name,
                  { ip: [`192.0.2.${each.host}`] },
                  BY,
                )
              case 'block':
                return restrictions.place(each.id, {
                  scope: each.all ? 'all' : 'unregistered',
                  by: BY,
                  reason: 'x',
                })
              case 'lift':
                return restrictions.lift(each.id, { by: BY, reason: 'x', keepUsage: false })
              case 'charge':
                return charge(each.id, each.times)
            }
          }
          // Many are refused, such as for a missing tenant or another owner.
          await work().catch(() => {})
        }
        const before = await contentOf(store)
        const file = newFile()
        await backUp(store, file)
        await wipe(store)
        await restoreFrom(store, file)
        assert.deepEqual(await contentOf(store), before)
        assert.equal((await restoreFrom(store, file)).result, 'unchanged')
      }),
      { numRuns: 40 },
    )
  })
})
