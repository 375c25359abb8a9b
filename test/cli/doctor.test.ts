import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { waitFor } from '../../scripts/services/wait-for'
import { Cli, FORWARDS_ON, tenantctl, type Result } from './cli'

interface Line {
  readonly level: 'ok' | 'warn' | 'fail'
  readonly check: string
  readonly message: string
  readonly advice: string | null
  readonly subject: string | null
  readonly problem: string | null
}

const FIELDS = ['level', 'check', 'message', 'advice', 'subject', 'problem']

/** A config directory and a Redis that the doctor finds no fault with. */
const SOUND: Record<string, string> = {
  plugins: 'tls\nauth/flat_file\nrelay\nharaka-plugin-unregistered-domain\nqueue/smtp_proxy\n',
  'auth_flat_file.ini': '[core]\nconstrain_sender=false\n',
  'unregistered-domain.ini': '[main]\nmode=enforce\n[outage]\nsnapshot=\n',
  'smtp.ini': 'listen=127.0.0.1:25\n',
}

describe('tenantctl doctor', () => {
  let redis: TestRedis
  let cli: Cli
  let config: string
  before(async () => {
    redis = await startRedis({
      args: ['--appendonly', 'yes', '--repl-diskless-sync-delay', '0'],
    })
  })
  after(() => redis.stop())
  beforeEach(async () => {
    cli = new Cli(redis.url)
    config = mkdtempSync(path.join(tmpdir(), 'doctor-'))
    write(SOUND)
    await cli.given('tenant add contoso')
  })
  afterEach(() => rmSync(config, { recursive: true }))

  function write(files: Record<string, string>): void {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(config, name), text)
  }

  function doctor(...options: string[]): Promise<Result> {
    return cli.run('--config', config, 'doctor', ...options)
  }

  async function examine(...options: string[]): Promise<{ lines: Line[]; status: number }> {
    const { out, status } = await doctor('--json', ...options)
    return { lines: JSON.parse(out) as Line[], status }
  }

  /** The findings of one check, all of one level. */
  async function findings(check: string, level: Line['level'], expected = 1): Promise<string> {
    const { lines, status } = await examine()
    const found = lines.filter((line) => line.check === check && line.level === level)
    assert.equal(found.length, expected, JSON.stringify(lines, null, 1))
    assert.equal(status, lines.some((line) => line.level === 'fail') ? 1 : 0)
    return found.map(({ message, advice }) => `${message} → ${advice}`).join('\n')
  }

  for (const [bind, level, message] of [
    ['127.0.0.2', 'ok', /^unregistered mail leaves from 127\.0\.0\.2/],
    ['203.0.113.1', 'fail', /^203\.0\.113\.1 is not an address of this host \(.*EADDRNOTAVAIL/],
  ] as const) {
    it(`checks that the host has the address of [egress] bind: ${bind}`, async () => {
      write({ 'unregistered-domain.ini': `[outage]\nsnapshot=\n[egress]\nbind=${bind}\n` })
      assert.match(await findings('egress', level), message)
    })
  }

  it('fails where an allowance for forwards has no effect, and names the first tenants', async () => {
    const ids = ['ash', 'elm', 'fir', 'oak', 'pine', 'yew']
    for (const id of ids) await cli.given(`tenant add ${id} --forwarded-limits 5/1h --force`)
    assert.match(
      await findings('forwarded', 'fail'),
      /6 tenants have an allowance for forwards: it has no effect.*\(ash, elm, fir, oak, pine and 1 more\) → set \[forwarded\] enabled=true on all hosts and restart Haraka/,
    )
    write({ 'unregistered-domain.ini': `[outage]\nsnapshot=\n${FORWARDS_ON}` })
    await findings('forwarded', 'fail', 0)
  })

  it('finds nothing where all is well', async () => {
    const { lines, status } = await examine()
    assert.deepEqual(
      lines.filter(({ level }) => level !== 'ok'),
      [],
    )
    assert.equal(status, 0)
    for (const line of lines) {
      assert.deepEqual(Object.keys(line), [...FIELDS])
    }
    assert.deepEqual(
      lines.map(({ check }) => check),
      [
        'mode',
        'alerts',
        'plugins',
        'order',
        'relaying',
        'constrain_sender',
        'deny_chars',
        'redis',
        'maxmemory-policy',
        'persistence',
        'registry',
        'lost',
        'nodes',
        'pause',
        'connectors',
        'relay_acl_allow',
        'consistency',
      ],
    )
  })

  it('prints a line for each check, its advice, and how many there are', async () => {
    write({ plugins: 'relay\n' })
    const { out, status } = await doctor()
    assert.equal(status, 1)
    assert.match(out, /^ok {4}mode: /m)
    assert.match(out, /^fail {2}plugins: config\/plugins does not name .*\n {6}→ add a line /m)
    assert.match(out, /\n\d+ ok, 0 warnings, 1 fail\n$/)
  })

  describe('config/plugins', () => {
    it('names plugins that accept recipients before this one, or add some', async () => {
      const site = mkdtempSync(path.join(tmpdir(), 'doctor-site-'))
      mkdirSync(path.join(site, 'plugins'))
      mkdirSync(path.join(site, 'config'))
      const inSite = config
      config = path.join(site, 'config')
      write({ ...SOUND, plugins: `early\nlate\nadds\naliases\n${SOUND['plugins']}` })
      const hook = (priority: number): string =>
        `exports.register = function () { this.register_hook('rcpt_ok', 'ok', ${priority}) }`
      write({
        '../plugins/early.js': hook(-50),
        '../plugins/late.js': hook(-49),
        '../plugins/adds.js':
          'exports.hook_data = (n, c) => { c.transaction.rcpt_to.push(x); n() }',
      })
      assert.match(await findings('recipients', 'warn'), /^early comes before unregistered-domain/)
      assert.match(await findings('recipients', 'ok'), /^adds, aliases may add recipients/)
      rmSync(site, { recursive: true })
      config = inSite
    })

    it('missing', async () => {
      rmSync(path.join(config, 'plugins'))
      assert.match(await findings('plugins', 'fail'), /no config\/plugins/)
    })

    it('without this plugin', async () => {
      write({ plugins: 'relay\n#unregistered-domain\nqueue/smtp_proxy\n' })
      assert.match(await findings('plugins', 'fail'), /before queue\/smtp_proxy/)
    })

    it('with this plugin twice', async () => {
      write({ plugins: 'relay\nunregistered-domain\nharaka-plugin-unregistered-domain\n' })
      assert.match(await findings('plugins', 'fail'), /more than once/)
    })

    it('with queue/smtp_proxy before this plugin', async () => {
      write({ plugins: 'relay\nqueue/smtp_proxy\nunregistered-domain\n' })
      assert.match(await findings('order', 'warn'), /queue\/smtp_proxy/)
    })

    it('with delay_deny and karma, which cannot turn our refusals into acceptance', async () => {
      write({ plugins: 'delay_deny\nkarma\nrelay\nunregistered-domain\n' })
      assert.match(await findings('deny', 'ok'), /delay_deny and karma/)
    })

    it('with nothing that lets a session relay', async () => {
      write({ plugins: 'rcpt_to.in_host_list\nunregistered-domain\n' })
      assert.match(await findings('relaying', 'warn'), /grant_relay/)
    })

    it('with nothing but our own grant_relay', async () => {
      write({
        plugins: 'unregistered-domain\n',
        'unregistered-domain.ini': '[attribution]\ngrant_relay=true\n',
      })
      await findings('relaying', 'ok')
    })

    it('with a relay open to everyone', async () => {
      write({ 'relay.ini': '[relay]\nall=true\n' })
      assert.match(await findings('relaying', 'warn'), /all=true/)
    })

    it('with plugins that may be left out', async () => {
      write({ 'smtp.ini': 'ignore_bad_plugins=1\n' })
      assert.match(await findings('ignore_bad_plugins', 'warn'), /smtp\.ini/)
    })
  })

  it('settings of Haraka that change replies or refuse mail uncounted', async () => {
    write({ 'auth_flat_file.ini': '[core]\n', 'connection.ini': '[uuid]\ndeny_chars=4\n' })
    assert.match(await findings('constrain_sender', 'warn'), /auth_flat_file\.ini/)
    assert.match(await findings('deny_chars', 'warn'), /deny_chars=4/)
  })

  it('settings of the plugin that let mail pass', async () => {
    write({ 'unregistered-domain.ini': '[main]\nmode=monitor\n[outage]\nunregistered=accept\n' })
    assert.match(await findings('mode', 'warn'), /monitor/)
    assert.match(await findings('outage', 'warn'), /uncounted/)
  })

  it('a configuration that others can change', async () => {
    for (const [place, mode] of [
      [config, 0o1777],
      [path.join(config, 'unregistered-domain.ini'), 0o660],
    ] as const) {
      const { mode: before } = statSync(place)
      chmodSync(place, mode)
      const found = await findings('config', 'warn')
      const told = mode.toString(8).padStart(4, '0')
      assert.ok(
        found.startsWith(`${place} is writable for others (mode ${told}): others on`),
        found,
      )
      chmodSync(place, before)
    }
    assert.equal(await findings('config', 'warn', 0), '')
  })

  it('a broken ini file: a line for each mistake, and Haraka is still checked', async () => {
    write({ 'unregistered-domain.ini': '[main]\nmode=on\noverride off\n[null]\n[null\n' })
    const found = await findings('config', 'fail', 3)
    assert.match(found, /unregistered-domain\.ini:2: \[main\] mode: "on"/)
    assert.match(found, /unregistered-domain\.ini:3: \[main\] override: the line has no "="/)
    assert.match(found, /unregistered-domain\.ini:5: the line is no section: write \[null\]/)
    assert.match(await findings('plugins', 'ok'), /names unregistered-domain/)
    await findings('registry', 'ok')
  })

  it('a broken [redis]: Redis is not asked, as Haraka does not ask it', async () => {
    write({ 'unregistered-domain.ini': `[redis]\nport=x\nprefix=${cli.prefix}\n` })
    const { status, out } = await tenantctl(['--config', config, 'doctor'])
    assert.equal(status, 1)
    assert.match(out, /^fail {2}config: \S+ini:2: \[redis\] port: "x" /m)
    assert.match(out, /^warn {2}redis: Redis was not checked$/m)
    assert.match(out, /^ok {4}plugins: /m)
  })

  it('a config directory without an ini file, and the one below it that was meant', async () => {
    mkdirSync(path.join(config, 'config'))
    const below = path.join(config, 'config', 'unregistered-domain.ini')
    writeFileSync(below, '')
    rmSync(path.join(config, 'unregistered-domain.ini'))
    assert.match(
      await findings('config', 'warn'),
      /has no unregistered-domain\.ini: .* → did you mean --config \S+\/config\?$/,
    )
    rmSync(below)
    assert.match(await findings('config', 'warn'), /→ copy it from the package/)
  })

  describe('the tenants file', () => {
    const name = 'unregistered-domain.tenants.yaml'

    it('with mistakes: a failure with the line of each', async () => {
      write({ [name]: 'id: site\ntenants:\n  a: { limit: 1/1h }\n  b: { mode: on }\n' })
      const found = await findings('tenants-file', 'fail', 2)
      assert.match(found, /tenants\.yaml:3:8: .* → correct the file: nothing of it is applied/)
      assert.match(found, /tenants\.yaml:4:\d+: /)
      write({ 'unregistered-domain.ini': '[tenants]\napply=false\n[outage]\nsnapshot=\n' })
      await findings('tenants-file', 'fail', 0)
    })

    it('that differs from what is registered: a warning, until it is applied', async () => {
      write({ [name]: 'id: site\ntenants:\n  a: { domains: [a.example] }\n' })
      const found = await findings('tenants-file', 'warn', 2)
      assert.match(found, /differ: tenant a /)
      assert.match(found, /differ: domain a\.example of a .*tenantctl apply \S+yaml does it now/)
      await cli.given(`apply ${path.join(config, name)}`)
      assert.match(await findings('tenants-file', 'ok'), /tenants\.yaml is applied/)
      write({ [name]: 'id: site\ntenants:\n  a: {}\n' })
      assert.match(
        await findings('tenants-file', 'warn'),
        /no longer holds domain a\.example of a, .* tenantctl apply \S+yaml --prune removes it$/,
      )
    })

    it('with what another tenant owns: a failure, which applying it would not change', async () => {
      await cli.given('domain add contoso contoso.com')
      write({ [name]: 'id: site\ntenants:\n  a: { domains: [contoso.com] }\n' })
      assert.match(await findings('tenants-file', 'fail'), /tenants\.yaml:3:\d+: .*contoso/)
    })
  })

  it('accepted domains that belong to mailbox providers', async () => {
    await cli.given('domain add contoso contoso.com gmail.com --force')
    assert.match(
      await findings('providers', 'warn'),
      /^gmail\.com of contoso belongs .* → unless .*: tenantctl domain remove contoso gmail\.com$/,
    )
  })

  describe('many findings of one kind', () => {
    beforeEach(async () => {
      const many = Array.from({ length: 12 }, (_, at) => `--ip 10.0.0.${at}`).join(' ')
      await cli.given(
        `connector add contoso nat ${many}`,
        'connector add contoso wide --ip 128.0.0.0/15',
      )
      write({ plugins: 'relay\n' })
    })

    it('are one line with their number and three examples, after what matters more', async () => {
      const { out, status } = await doctor()
      assert.equal(status, 1)
      const lines = out.split('\n')
      assert.match(lines[0]!, /^fail {2}plugins: /)
      const at = lines.findIndex((line) => line.startsWith('warn  connectors: 12 '))
      assert.match(lines[at]!, /: 12 ranges are private: behind NAT or a proxy every session is/)
      assert.match(lines[at + 1]!, /^ {6}(contoso\/nat 10\.0\.0\.\d+\/32, ){2}\S+ \S+ and 9 more/)
      assert.match(lines[at + 2]!, /^ {6}→ make sure that Haraka sees the real source address/)
      assert.match(out, /^warn {2}connectors: contoso\/wide accepts 128\.0\.0\.0\/15, wider than/m)
      assert.ok(lines.findIndex((line) => line.startsWith('ok')) > at)
      assert.match(out, /\n\d+ ok, 2 warnings, 1 fail\n$/)
    })

    it('are a line each with --verbose and in JSON', async () => {
      const { out } = await doctor('--verbose')
      assert.equal(out.match(/^warn {2}connectors: contoso\/nat accepts 10\./gm)?.length, 12)
      assert.match(await findings('connectors', 'warn', 13), /a private range/)
    })
  })

  it('an ini file with a key or a section twice, or without a key', async () => {
    write({
      'unregistered-domain.ini': '[main]\nmode=off\nmode=enforce\n[outage]\nsnapshot=\n[main]\n',
    })
    const found = await findings('config', 'warn', 2)
    assert.match(found, /ini:3: \[main\] mode is set again, as on line 2: line 3 is in effect/)
    assert.match(
      found,
      /ini:6: \[main\] begins again, as on line 1: the keys of both are in effect/,
    )
    write({ 'unregistered-domain.ini': '[main]\n; mode=off\n' })
    assert.match(await findings('config', 'warn'), /sets no key: the defaults are in effect/)
  })

  it('without a config directory: only Redis and the registry', async () => {
    const { out, status } = await cli.run('doctor', '--json')
    const lines = JSON.parse(out) as Line[]
    assert.equal(status, 0)
    assert.deepEqual(
      lines.filter(({ level }) => level !== 'ok').map(({ check }) => check),
      ['config'],
    )
  })

  describe('connectors', () => {
    it('too wide, and in private ranges', async () => {
      await cli.given(
        'connector add contoso a --ip 128.0.0.0/15 --ip 2001::/31',
        'connector add contoso b --ip 192.168.0.0/16 --ip fd00::/32',
        'connector add contoso c --ip 128.2.0.0/16 --ip 2001:db8::/32',
      )
      const text = await findings('connectors', 'warn', 4)
      assert.match(text, /contoso\/a accepts 128\.0\.0\.0\/15, wider than \/16/)
      assert.match(text, /contoso\/a accepts 2001::\/31, wider than \/32/)
      assert.match(text, /contoso\/b accepts 192\.168\.0\.0\/16, a private range/)
      assert.match(text, /contoso\/b accepts fd00::\/32, a private range/)
    })

    it('by certificate, where clients are asked for none', async () => {
      await cli.given('connector add contoso a --cert mail.contoso.com')
      assert.match(await findings('certificates', 'ok'), /public CAs/)
      write({ 'tls.ini': 'ca=customers.pem\n' })
      assert.match(await findings('certificates', 'ok'), /customers\.pem/)
      write({ 'tls.ini': 'requestCert=false\n' })
      assert.match(await findings('certificates', 'fail'), /requestCert=true/)
      write({ plugins: 'relay\nunregistered-domain\n', 'tls.ini': '' })
      assert.match(await findings('certificates', 'fail'), /no TLS/)
      write({ 'smtp.ini': 'listen=127.0.0.1:25, 127.0.0.1:465\n' })
      await findings('certificates', 'ok')
    })

    it('by a pinned certificate, where the TLS layer ends its session', async () => {
      await cli.given(`connector add contoso a --cert-sha256 ${'ab'.repeat(32)}`)
      write({ 'tls.ini': 'rejectUnauthorized=true\n' })
      assert.match(await findings('certificates', 'warn'), /rejectUnauthorized=false/)
    })

    it('by a method that is off, or that Haraka does not offer', async () => {
      await cli.given('connector add contoso a --ip 128.2.0.1 --auth ann')
      write({
        plugins: 'relay\nunregistered-domain\n',
        'unregistered-domain.ini': '[attribution]\nip=false\n',
      })
      const text = await findings('attribution', 'warn', 2)
      assert.match(text, /ip=false.*contoso\/a/)
      assert.match(text, /contoso\/a.*no known AUTH plugin/)
    })
  })

  it('ranges that may relay without belonging to a tenant', async () => {
    await cli.given('connector add contoso a --ip 128.2.0.0/25 --ip 128.2.0.128/25')
    write({ relay_acl_allow: '# ours\n128.2.0.0/24\n128.2.0.7 # one\n' })
    await findings('relay_acl_allow', 'ok')
    write({ relay_acl_allow: '128.2.0.0/23\n127.0.0.1/32\n2001:db8::1\nnonsense\n' })
    const text = await findings('relay_acl_allow', 'warn', 3)
    assert.match(text, /^128\.2\.0\.0\/23 may relay/m)
    assert.match(text, /^2001:db8::1 \(which relay reads as 2001:db8::\/32\) may relay/m)
    write({ 'relay.ini': '[relay]\nacl=false\n' })
    await findings('relay_acl_allow', 'ok', 0)
  })

  describe('Redis', () => {
    it('away', async () => {
      const result = await tenantctl(
        ['--redis', 'redis://127.0.0.1:1', '--config', config, 'doctor', '--json'],
        {},
      )
      assert.equal(result.status, 1)
      const lines = JSON.parse(result.out) as Line[]
      assert.match(lines.find(({ level }) => level === 'fail')?.message ?? '', /127\.0\.0\.1:1/)
    })

    it('that loses data: eviction and no append-only file', async () => {
      const client = redis.client()
      try {
        await client.config('SET', 'appendonly', 'no')
        await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
        assert.match(await findings('persistence', 'warn'), /appendonly yes/)
        await findings('maxmemory-policy', 'warn')
        await client.config('SET', 'maxmemory', '100mb')
        assert.match(await findings('maxmemory-policy', 'fail'), /noeviction/)
      } finally {
        await client.config('SET', 'maxmemory', '0')
        await client.config('SET', 'maxmemory-policy', 'noeviction')
        await client.config('SET', 'appendonly', 'yes')
      }
    })

    it('with a replica: writes must wait for it', async () => {
      const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] })
      const client = redis.client()
      try {
        await waitFor(async () => (await client.info('replication')).includes('state=online'))
        assert.match(await findings('replication', 'warn'), /min-replicas-to-write/)
        await client.config('SET', 'min-replicas-to-write', '1')
        await findings('replication', 'ok')
        const of = await tenantctl(
          ['--redis', replica.url, '--prefix', cli.prefix, '--config', config, 'doctor', '--json'],
          {},
        )
        assert.equal(of.status, 1)
        assert.match(of.out, /is a replica/)
      } finally {
        await client.config('SET', 'min-replicas-to-write', '0')
        await replica.stop()
      }
    })
  })

  describe('consistency', () => {
    it('is repaired by --repair', async () => {
      const client = redis.client()
      await cli.given('domain add contoso contoso.com')
      await client.srem(`${cli.prefix}{@tenants}`, 'contoso')
      await client.hset(`${cli.prefix}{@owners}:names`, 'left.example', '- contoso')
      const text = await findings('consistency', 'fail', 3)
      assert.match(text, /tenant contoso is not in the index → tenantctl doctor --repair/)
      assert.match(text, /left\.example/)
      const repaired = await examine('--repair')
      assert.equal(repaired.status, 0)
      assert.equal(repaired.lines.filter(({ message }) => message.startsWith('mended')).length, 3)
      assert.match(await findings('consistency', 'ok'), /are consistent/)
      await cli.given('tenant add fabrikam', 'domain add fabrikam left.example')
    })

    it('leaves to a person what only a person can decide', async () => {
      const client = redis.client()
      await cli.given('tenant add fabrikam')
      const connector = { ip: ['128.2.0.1/32'], cert: [], certSha256: [], auth: [], enabled: true }
      for (const id of ['contoso/a', 'fabrikam/b']) {
        const json = JSON.stringify({ ...connector, addedAt: 1, addedBy: 'ann' })
        await client.hset(`${cli.prefix}{@connectors}`, id, json)
      }
      await client.hset(`${cli.prefix}{@connectors}:identities`, 'ip:128.2.0.1/32', 'contoso/a')
      const { lines, status } = await examine('--repair')
      assert.equal(status, 1)
      const [fail] = lines.filter(({ level }) => level === 'fail')
      assert.match(fail?.message ?? '', /more than one connector: contoso\/a, fabrikam\/b/)
    })
  })

  it('ends with 2 for a config directory that is not a directory', async () => {
    mkdirSync(path.join(config, 'sub'))
    const result = await cli.run('--config', path.join(config, 'absent'), 'doctor')
    assert.equal(result.status, 2)
  })
})
