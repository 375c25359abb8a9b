import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { isNamed } from '../../src/config/section'
import { SECTIONS } from '../../src/process/config'
import { queueFile } from '../support/queue-files'
import { startRedis, type TestRedis } from '../support/redis'
import { leaves, tenantctl, type Result } from './cli'

/** Commands whose outcome depends on sections, and which each of these therefore stops. */
const NEEDS = [
  [/--forwarded-limits/, ['forwarded']],
  [/^unblock a --reason/, ['case']],
  [/^unblock a --force .* --limits/, ['allowance']],
  [/^alert test/, ['alerts', 'alert noc']],
  [/^metrics/, ['metrics']],
  [/^console/, ['console']],
  [/^init$|^restore|^registry (?:accept|restore)|^purge/, ['outage']],
  [/^domain add (?!.*--force)|^apply \S+$/, ['registry']],
] as const

/** Of named sections one. */
const ALL = Object.values(SECTIONS).map((each) => (isNamed(each) ? `${each.word} noc` : each.name))

/** What a section needs to be in effect. */
const SOUND: Readonly<Record<string, string>> = { 'alert noc': 'mail=noc@relay.example\n' }

/** An ini file with a typing error in each of these sections. */
function broken(sections: readonly string[], more = ''): string {
  const sound: Readonly<Record<string, string>> = { ...SOUND, redis: more }
  return sections.map((name) => `[${name}]\n${sound[name] ?? ''}typo=1\n`).join('')
}

describe('a mistake in the ini file', () => {
  let redis: TestRedis
  let site: string
  let config: string
  let lines: readonly string[]
  let prefixes = 0
  let prefix: string
  before(async () => {
    redis = await startRedis()
    site = scratchDir('site')
    config = path.join(site, 'config')
    for (const folder of ['config', 'queue']) mkdirSync(path.join(site, folder))
    const tenants = path.join(site, 'tenants.yaml')
    writeFileSync(tenants, 'id: site\ntenants:\n  d: { domains: [d.example] }\n')
    const backup = path.join(site, 'backup.jsonl')
    lines = [
      ...['init', 'tenant add a', 'tenant add b', 'tenant set a --contact x@lure.example'],
      'tenant set a --forwarded-limits 5/1h --force',
      ...[
        'domain add a a.example',
        'domain set a a.example --subdomains',
        'domain show a.example',
        'domain move a.example b',
        'domain remove b a.example',
      ],
      ...['domain add a b.example --force'],
      ...[
        'connector add a mx --ip 192.0.2.9',
        'connector set a mx --add-ip 192.0.2.8',
        'connector find 192.0.2.9',
        'find b.example',
        'connector disable a mx',
        'connector enable a mx',
      ],
      ...['connector block a mx --reason x', 'connector unblock a mx --reason x'],
      ...[
        'tenant list',
        'tenant detach d',
        'tenant show a',
        'domain list a',
        'connector list',
        'connector show a mx',
      ],
      ...['status', 'status a', 'restricted', 'unusual', 'report a', 'unattributed', 'events'],
      ...['nodes', 'metrics --once'],
      // No console runs: they ask for one.
      ...['console link', 'console sessions list', 'console sessions revoke 1'],
      ...['audit', 'incident a', 'suggest a', 'explain --from x@lure.example --ip 192.0.2.9'],
      'top --once',
      ...['case take a:1', 'case release a:1'],
      ...['block a --reason x', 'case list', 'case show a:1', 'case note a:1 x', 'evidence a'],
      ...['case check a:1 proof --note x', 'unblock a --force --reason x --limits 1/1h --for 1d'],
      ...['unblock a --reason x', 'case close a:1 --note x', 'queue a', 'queue a drop --yes'],
      ...[`apply ${tenants} --dry-run`, `apply ${tenants}`, `backup ${backup}`],
      ...[
        `restore ${backup}`,
        'alert test',
        'alert contacts',
        'alert snooze --list',
        'alert unsnooze a',
        'nodes forget mx1',
        'enforcement pause --reason x',
        'enforcement status',
        'enforcement resume --reason x',
        'registry status',
        'registry accept-redis --reason x',
      ],
      ...['registry restore-known --reason x', 'connector remove a mx', 'tenant remove b'],
      ...['init --force', 'doctor', 'doctor --repair', 'purge --all --yes PREFIX'],
    ]
  })
  after(() => redis.stop())
  beforeEach(() => {
    prefix = `b${++prefixes}:`
  })

  function run(ini: string, line: string, ...more: string[]): Promise<Result> {
    writeFileSync(path.join(config, 'unregistered-domain.ini'), ini)
    return tenantctl(['--config', config, ...line.replace('PREFIX', prefix).split(' '), ...more])
  }

  /** `[redis]`, as its first lines. */
  function here(): string {
    return `port=${redis.port}\nprefix=${prefix}\n`
  }

  function needsOf(line: string): readonly string[] {
    return NEEDS.find(([those]) => those.test(line))?.[1] ?? []
  }

  async function written(): Promise<string[]> {
    const client = redis.client()
    const keys = (await client.keys(`${prefix}*`)).sort()
    const dumps = await Promise.all(keys.map((key) => client.dumpBuffer(key)))
    return keys.map((key, at) => `${key} ${dumps[at]!.toString('base64')}`)
  }

  it('is tried with every command', () => {
    // That reads no configuration, unless it completes the name of a tenant.
    const all = leaves().filter((leaf) => leaf !== 'completion')
    const tried = all.filter((leaf) => lines.some((line) => `${line} `.startsWith(`${leaf} `)))
    assert.deepEqual(tried, all)
  })

  it('stops no command that does not need its section, and is told', async () => {
    const sound = new Map<string, Result>()
    for (const line of lines) {
      queueFile(path.join(site, 'queue'), { tenant: 'a' })
      sound.set(line, await run(`[redis]\n${here()}`, line))
    }
    prefix = `b${++prefixes}:`
    for (const line of lines) {
      const others = ALL.filter((name) => name !== 'redis' && !needsOf(line).includes(name))
      queueFile(path.join(site, 'queue'), { tenant: 'a' })
      const { status, err, out } = await run(`[redis]\n${here()}${broken(others)}`, line)
      if (line.startsWith('doctor')) {
        assert.equal(status, 1, line)
        for (const name of others) assert.match(out, new RegExp(`ini:\\d+: \\[${name}\\] typo: no`))
        assert.match(out, /^ok {4}registry: /m)
        continue
      }
      assert.equal(status, sound.get(line)!.status, `${line}: ${err}`)
      assert.match(err, /ini:5: \[main\] typo: no such key; [^\n]* \(here [^\n]*\)\n/, line)
      const more = others.length - 3
      assert.ok(err.includes(`and ${more} more mistakes: tenantctl doctor shows all`), err)
    }
  })

  it('stops a command that needs its section, before anything is written', async () => {
    for (const line of ['init', 'tenant add a', 'block a --reason x']) {
      assert.equal((await run(`[redis]\n${here()}`, line)).status, 0)
    }
    const before = await written()
    const needy = lines.flatMap((line) => needsOf(line).map((name) => [line, name] as const))
    assert.equal(
      new Set(needy.map(([, name]) => name)).size,
      NEEDS.flatMap(([, all]) => all).length,
    )
    for (const [line, name] of needy) {
      const { status, err } = await run(`[redis]\n${here()}${broken([name])}`, line)
      assert.equal(status, 2, `${line}: ${err}`)
      assert.match(
        err,
        new RegExp(`^tenantctl: \\S+\\.ini:\\d: \\[${name}\\] typo: [^\\n]+\\n$`),
        line,
      )
      assert.deepEqual(await written(), before, line)
    }
  })

  it('in [redis] stops every command but doctor, before Redis is asked', async () => {
    for (const line of lines.filter((each) => !each.startsWith('doctor'))) {
      const { status, err } = await run(broken(['redis'], here()), line)
      assert.equal(status, 2, `${line}: ${err}`)
      assert.match(err, /^tenantctl: \S+\.ini:4: \[redis\] typo: [^\n]+\n$/, line)
    }
    assert.deepEqual(await written(), [])
    const { out, status } = await run(broken(['redis'], here()), 'doctor')
    assert.equal(status, 1)
    assert.match(out, /^warn {2}redis: Redis was not checked$/m)
  })

  for (const [what, ini] of [
    ['below another section', '[main]\nhost=192.0.2.1\n'],
    ['below a section that does not exist', '[redsi]\nhost=192.0.2.1\n'],
    ['without "="', '[main]\nmode=off\nhost 192.0.2.1\n'],
    ['below a damaged line', '[redis\nhost=192.0.2.1\n'],
  ] as const) {
    it(`that may be about Redis stops a command too: a key ${what}`, async () => {
      const { status, err } = await run(ini, 'status')
      assert.equal(status, 2, err)
      assert.match(err, /^tenantctl: \S+\.ini:\d: /)
    })
  }

  it('in [redis] does not count where --redis and --prefix say it', async () => {
    const asked = ['--redis', redis.url]
    for (const ini of ['port=x\n', 'password=1\n', 'sentinels[]=a:1\n']) {
      const { status, err } = await run(`[redis]\n${ini}`, 'tenant list', ...asked)
      assert.equal(status, 0, err)
      assert.match(err, /ini:2: \[redis\] [^\n]* \(here --redis counts\)\n$/)
    }
    // The prefix comes from the file.
    for (const ini of ['prefix={x\n', 'prfix=x:\n']) {
      const alone = await run(`[redis]\n${ini}`, 'tenant list', ...asked)
      assert.equal(alone.status, 2, ini)
      const both = await run(`[redis]\n${ini}`, 'tenant list', ...asked, '--prefix', prefix)
      assert.equal(both.status, 0, both.err)
    }
  })
})
