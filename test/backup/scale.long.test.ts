import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { writeLines } from '../../src/registry-file/write-file'
import { verifyFile } from '../../src/registry-file/read-file'
import { readTenantRecords } from '../../src/registry-file/read-registry'
import { formatRecord } from '../../src/registry-file/record'
import { interrupted } from '../support/interrupted'
import { newSite, theRedis, useRedis } from '../support/registry'

useRedis()

const PROGRAM = path.resolve(__dirname, '../../dist/src/cli/tenantctl.js')
const TIME = '1764000000000'
const TENANTS = 1000
const DOMAINS = 40_000

function domainsOf(tenant: string, count: number, first: number): string {
  const domains = new Map(
    Array.from({ length: count }, (_, at) => [
      `n${first + at}.${tenant}.example`,
      `- ${TIME} root`,
    ]),
  )
  return formatRecord({ type: 'domains', tenant, domains })
}

function tenant(id: string): string {
  const fields = new Map([
    ['name', id],
    ['source', 'root'],
    ['createdAt', TIME],
  ])
  return formatRecord({ type: 'tenant', id, fields, restriction: undefined, usage: undefined })
}

function* lines(): Generator<string> {
  yield tenant('big')
  for (let at = 0; at < DOMAINS; at += 1000) yield domainsOf('big', 1000, at)
  for (let at = 0; at < TENANTS; at++) {
    yield tenant(`t${at}`)
    yield domainsOf(`t${at}`, 1, 0)
  }
}

describe('a large registry', () => {
  it('is restored and backed up with little memory and short commands', async () => {
    const { store } = newSite()
    const { client, keys } = store
    const dir = scratchDir('backup')
    const made = path.join(dir, 'made.jsonl')
    const header = { prefix: '', epoch: 'e', schema: '1.1', createdAt: 0, omitted: 0 }
    await writeLines(made, { kind: 'backup', ...header }, lines())
    // As text alone the domains need more than this leaves, and the objects of a whole file far more.
    const options = ['--max-old-space-size=32', PROGRAM, '--redis', theRedis().url]
    const run = (...args: string[]) =>
      execFileSync(process.execPath, [...options, '--prefix', keys.prefix, ...args], { cwd: dir })

    await theRedis().resetCommandStats()
    run('restore', 'made.jsonl')
    assert.equal(await client.hlen(keys.domains('big')), DOMAINS)
    assert.equal(await client.scard(keys.tenants), TENANTS + 1)
    run('backup', 'b.jsonl')
    const stats = await theRedis().commandStats()
    // Nothing that takes as long as the registry is large.
    for (const command of ['keys', 'smembers', 'hvals']) assert.equal(stats[command], undefined)
    assert.ok(stats['hscan']! >= DOMAINS / 1000)
    const whole = await verifyFile(path.join(dir, 'b.jsonl'))
    assert.equal(whole.records, 1 + DOMAINS / 1000 + 2 * TENANTS)
  })

  it('that changes during a backup is saved as of one moment', async () => {
    const site = newSite()
    const { registry } = site
    await registry.tenants.add('contoso', {}, 'root')
    const plain = (domain: string) => ({ domain, subdomains: false, shared: true })
    const many = Array.from({ length: 3000 }, (_, at) => plain(`n${at}.example`))
    await registry.domains.add('contoso', many, 'root')
    const pair = [plain('a.pair.example'), plain('z.pair.example')]
    let there = false
    const toggle = async (): Promise<void> => {
      if (there) {
        await registry.domains.remove('contoso', ['a.pair.example', 'z.pair.example'])
      } else await registry.domains.add('contoso', pair, 'root')
      there = !there
    }
    for (const times of [0, 1, 2, 3]) {
      const disturbed = interrupted(site.connect(), toggle, { times })
      const seen: string[] = []
      for await (const record of readTenantRecords(disturbed, 'contoso', { usage: true })) {
        if (record.type === 'domains') seen.push(...record.domains.keys())
      }
      assert.equal(seen.length, there ? 3002 : 3000, `${times} changes`)
      assert.equal(new Set(seen).size, seen.length)
    }
  })
})
