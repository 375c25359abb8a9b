import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { formatLimits, parseLimits } from '../../src/mail/limits'
import { keyId } from '../../src/config/ini-lines'
import { parseConfig, SECTIONS, type Config } from '../../src/process/config'
import { CONFIG_FILE } from '../../src/process/config-file'
import type { RawIni } from '../../src/config/stray-lines'
import { isNamed, type IniKey } from '../../src/config/section'
import {
  hasConfigFile,
  loadConfig,
  readConfigFile,
  type ConfigFile,
} from '../../src/process/config-file'
import { FileMistakes } from '../../src/base/errors'
import { packageRoot } from '../../src/base/package-root'
import { CertificateAuthority } from '../support/certificates'
import { withoutRights, canDropRights } from '../support/without-rights'
import { WEBHOOK_SECRET } from '../support/webhook-endpoint'

const directory = scratchDir('config')

/** Only the messages of the errors. */
function parse(raw: RawIni) {
  const parsed = parseConfig(raw, directory)
  return { ...parsed, errors: parsed.errors.map(({ message }) => message) }
}

function good(raw: RawIni): Config {
  const { config, errors } = parse(raw)
  assert.deepEqual(errors, [])
  return config
}

const DEFAULTS = good({})

/** A value as haraka-config gives it, the setting that it changes, and the value there. */
type Good = readonly [
  section: string,
  key: string,
  value: unknown,
  read: (config: Config) => unknown,
  expected: unknown,
]

const a = { host: '192.0.2.1', port: 26379 }
const b = { host: 'redis.example', port: 1 }

const GOOD: readonly Good[] = [
  ...(['enforce', 'monitor', 'off'] as const).map((mode): Good => [
    'main',
    'mode',
    mode,
    ({ main }) => main.mode,
    mode,
  ]),
  ['main', 'override', '', ({ main }) => main.override, undefined],
  ['main', 'override', 'monitor', ({ main }) => main.override, 'monitor'],
  ['main', 'override', 'off', ({ main }) => main.override, 'off'],
  ['main', 'refuse_at', 'rcpt', ({ main }) => main.refuseAt, 'rcpt'],
  ['main', 'refuse_at', 'mail', ({ main }) => main.refuseAt, 'mail'],
  [
    'allowance',
    'limits',
    '5/1h defer',
    ({ allowance }) => allowance.limits,
    parseLimits('5/1h defer'),
  ],
  ['allowance', 'limits', 'unlimited', ({ allowance }) => allowance.limits, []],
  ['allowance', 'warn_at', '95, 5,50', ({ allowance }) => allowance.warnAt, [5, 50, 95]],
  ['allowance', 'warn_at', 80, ({ allowance }) => allowance.warnAt, [80]],
  ['allowance', 'warn_at', '', ({ allowance }) => allowance.warnAt, []],
  ['null', 'limits', '7/1d', (config) => config.null.limits, parseLimits('7/1d')],
  ['forwarded', 'enabled', 'true', ({ forwarded }) => forwarded.enabled, true],
  ['forwarded', 'when_restricted', 'accept', ({ forwarded }) => forwarded.whenRestricted, 'accept'],
  ['forwarded', 'arc_sealers', '', ({ forwarded }) => forwarded.arcSealers, []],
  [
    'forwarded',
    'arc_sealers',
    'Google.com,bücher.example',
    ({ forwarded }) => forwarded.arcSealers,
    ['google.com', 'xn--bcher-kva.example'],
  ],
  ['foreign', 'action', 'refuse', ({ foreign }) => foreign.action, 'refuse'],
  ['header_from', 'check', 'charge', ({ headerFrom }) => headerFrom.check, 'charge'],
  ['header_from', 'check', 'off', ({ headerFrom }) => headerFrom.check, 'off'],
  ['egress', 'bind', '192.0.2.9', ({ egress }) => egress.bind, '192.0.2.9'],
  ['egress', 'bind', '2001:db8::9', ({ egress }) => egress.bind, '2001:db8::9'],
  ['egress', 'helo', 'Out2.relay.example', ({ egress }) => egress.helo, 'out2.relay.example'],
  ['srs', 'domain', '', ({ srs }) => srs, { domain: '', secrets: [] }],
  ['tag', 'header', 'X-Relay-Class', ({ tag }) => tag.header, 'X-Relay-Class'],
  ['restriction', 'queued', 'deliver', ({ restriction }) => restriction.queued, 'deliver'],
  ['attribution', 'auth', 'false', ({ attribution }) => attribution.auth, false],
  ['attribution', 'tls', 'false', ({ attribution }) => attribution.tls, false],
  ['attribution', 'ip', 'false', ({ attribution }) => attribution.ip, false],
  [
    'attribution',
    'auth_user_domain',
    'false',
    (config) => config.attribution.authUserDomain,
    false,
  ],
  ['attribution', 'note', 'my_tenant', ({ attribution }) => attribution.note, 'my_tenant'],
  ['attribution', 'grant_relay', 'true', ({ attribution }) => attribution.grantRelay, true],
  ['attribution', 'unknown', 'deny', ({ attribution }) => attribution.unknown, 'deny'],
  ['redis', 'host', 'redis.example', ({ redis }) => redis.host, 'redis.example'],
  ['redis', 'port', 6380, ({ redis }) => redis.port, 6380],
  ['redis', 'port', '65535', ({ redis }) => redis.port, 65535],
  ['redis', 'db', 3, ({ redis }) => redis.db, 3],
  ['redis', 'username', 'mail', ({ redis }) => redis.username, 'mail'],
  ['redis', 'username', '', ({ redis }) => redis.username, undefined],
  ['redis', 'password', 's3cr=t', ({ redis }) => redis.password, 's3cr=t'],
  ['redis', 'password', '', ({ redis }) => redis.password, undefined],
  ['redis', 'password_file', '', ({ redis }) => redis.password, undefined],
  ['redis', 'tls', 'true', ({ redis }) => redis.tls, true],
  ['redis', 'prefix', 'mail:ud:', ({ redis }) => redis.prefix, 'mail:ud:'],
  [
    'redis',
    'cluster',
    ['192.0.2.1:26379', 'redis.example:1'],
    ({ redis }) => redis.cluster,
    [a, b],
  ],
  [
    'redis',
    'cluster',
    '[2001:db8::1]:6379',
    ({ redis }) => redis.cluster,
    [{ host: '2001:db8::1', port: 6379 }],
  ],
  ['redis', 'sentinel_name', 'mymaster', ({ redis }) => redis.sentinelName, 'mymaster'],
  ['redis', 'sentinel_username', 'mail', ({ redis }) => redis.sentinelUsername, 'mail'],
  ['redis', 'sentinel_username', '', ({ redis }) => redis.sentinelUsername, undefined],
  ['redis', 'sentinel_password', 's3cret', ({ redis }) => redis.sentinelPassword, 's3cret'],
  ['redis', 'sentinel_password_file', '', ({ redis }) => redis.sentinelPassword, undefined],
  ['redis', 'command_timeout', 10, ({ redis }) => redis.commandTimeout, 10],
  ['outage', 'unregistered', 'accept', ({ outage }) => outage.unregistered, 'accept'],
  ['outage', 'snapshot', '', ({ outage }) => outage.snapshot, ''],
  ['outage', 'snapshot', '/var/lib/mail/x', ({ outage }) => outage.snapshot, '/var/lib/mail/x'],
  [
    'outage',
    'snapshot',
    'known.jsonl',
    ({ outage }) => outage.snapshot,
    path.join(path.dirname(directory), 'known.jsonl'),
  ],
  ['tenants', 'file', 'tenants.yaml', ({ tenants }) => tenants.file, 'tenants.yaml'],
  ['tenants', 'file', '', ({ tenants }) => tenants.file, ''],
  ['tenants', 'apply', 'false', ({ tenants }) => tenants.apply, false],
]

const BAD: readonly (readonly [section: string, key: string, value: unknown, message: RegExp])[] = [
  ['main', 'mode', 'on', /"on" is not one of enforce, monitor, off/],
  ['main', 'mode', '', /"" is not one of/],
  ['main', 'mode', 'Enforce', /"Enforce" is not one of/],
  ['main', 'override', 'enforce', /"enforce" is not one of monitor, off/],
  ['main', 'refuse_at', 'data', /"data" is not one of mail, rcpt/],
  ['allowance', 'limits', '300/1w', /"300\/1w" is not a limit/],
  ['allowance', 'limits', 300, /"300" is not a limit/],
  ['allowance', 'limits', '', /is not a limit/],
  ['allowance', 'limits', ['1/1h', '2/1d'], /is not a single value/],
  ['allowance', 'warn_at', '50, 101', /"101" is not a whole number from 1 to 100/],
  ['allowance', 'warn_at', '50%', /"50%" is not a whole number/],
  ['allowance', 'warn_at', '50;80', /"50;80" is not .*: write percentages with commas between/],
  ['allowance', 'warn_at', 0, /"0" is not a whole number from 1 to 100/],
  ['null', 'limits', '1/1h, 2/60m', /two limits for 1h/],
  ['forwarded', 'when_restricted', 'hold', /"hold" is not one of refuse, accept/],
  ['forwarded', 'arc_sealers', 'a.example,,b.example', /"" is not a domain name/],
  ['forwarded', 'arc_sealers', '*.example', /wildcard/],
  ['foreign', 'action', 'deny', /"deny" is not one of charge, refuse/],
  ['header_from', 'check', 'true', /"true" is not one of off, report, charge/],
  ['egress', 'bind', 'out.example', /"out.example" is no IP address/],
  ['egress', 'helo', '[192.0.2.9]', /is not a domain name/],
  ['srs', 'domain', 'user@srs.example', /give only what is behind the @/],
  ['srs', 'secret', 1234567890123456, /digits only/],
  ['srs', 'secret_file', 'no.such.file', /no\.such\.file does not exist$/],
  ['tag', 'header', 'Received', /"Received" is no header name of our own/],
  ['tag', 'header', 'X-Tag:', /without a colon/],
  ['restriction', 'queued', 'drop', /"drop" is not one of deliver, hold/],
  ['attribution', 'auth', 'yes', /"yes" is not one of true, false/],
  ['attribution', 'tls', 1, /"1" is not one of true, false/],
  ['attribution', 'ip', '', /"" is not one of true, false/],
  ['attribution', 'auth_user_domain', 'on', /"on" is not one of/],
  ['attribution', 'note', ['a'], /is not a single value/],
  ['attribution', 'grant_relay', 'TRUE', /"TRUE" is not one of/],
  ['attribution', 'unknown', 'allow', /"allow" is not one of ignore, deny/],
  ['redis', 'host', '', /is empty/],
  ['redis', 'host', 'localhost:6379', /"localhost:6379" is no host name .*without a port/],
  ['redis', 'host', 'a.example ; main', /is no host name or address.*; a comment needs a line/],
  ['redis', 'port', 0, /"0" is not a whole number from 1 to 65535/],
  ['redis', 'port', 65536, /"65536"/],
  ['redis', 'port', 63.5, /"63.5" is not a whole number/],
  ['redis', 'port', '', /"" is not a whole number/],
  ['redis', 'db', -1, /"-1" is not a whole number/],
  ['redis', 'username', ['a'], /is not a single value/],
  ['redis', 'password', 71234, /digits only.*password_file/],
  ['redis', 'password', 12.5, /digits only.*password_file/],
  ['redis', 'password_file', 'no.such.file', /no\.such\.file does not exist$/],
  ['redis', 'password_file', 'empty', /empty/],
  ['redis', 'tls', 'no', /"no" is not one of/],
  ['redis', 'prefix', 'a{b}', /"a\{b\}" must hold no space, nothing invisible and none of \{ \}/],
  ['redis', 'prefix', 'a b', /"a b" must hold no space/],
  ['redis', 'sentinels', ['redis.example'], /"redis.example" is not HOST:PORT/],
  ['redis', 'sentinels', ['::1:26379'], /"::1:26379" is not HOST:PORT/],
  ['redis', 'sentinel_name', ['a'], /is not a single value/],
  ['redis', 'sentinel_password', 712, /digits only.*sentinel_password_file/],
  ['redis', 'sentinel_password_file', 'no.such.file', /no\.such\.file does not exist$/],
  ['redis', 'cluster', ['a:1', 'b:70000'], /"70000" is not a whole number/],
  ['redis', 'cluster', [''], /"" is not HOST:PORT/],
  ['redis', 'command_timeout', 9, /"9" is not a whole number from 10 to 60000/],
  ['redis', 'command_timeout', '500ms', /"500ms" is not a whole number/],
  ['outage', 'unregistered', 'pass', /"pass" is not one of tempfail, accept/],
  ['tenants', 'file', ['a'], /is not a single value/],
  ['tenants', 'apply', 'nein', /"nein" is not one of/],
]

writeFileSync(path.join(directory, 'empty'), '\n')

describe('a configuration', () => {
  for (const [section, key, value, read, expected] of GOOD) {
    it(`accepts [${section}] ${key}=${JSON.stringify(value)}`, () => {
      const config = good({ [section]: { [key]: value } })
      assert.deepEqual(read(config), expected)
    })
  }

  for (const [section, key, value, message] of BAD) {
    it(`rejects [${section}] ${key}=${JSON.stringify(value)}, and keeps the default`, () => {
      const { config, errors, redisUsable } = parse({ [section]: { [key]: value } })
      const error = errors.find((each) => each.startsWith(`[${section}] ${key}: `))
      assert.ok(error, errors.join('; '))
      assert.match(error, message)
      assert.deepEqual(config, DEFAULTS)
      assert.equal(redisUsable, section !== 'redis')
    })
  }

  it('reports every mistake, and accepts what is right', () => {
    const { config, errors } = parse({
      main: { mode: 'on', refuse_at: 'rcpt' },
      null: { limits: 'none' },
    })
    assert.equal(errors.length, 2)
    assert.equal(config.main.refuseAt, 'rcpt')
  })

  it('treats a key without a value as absent', () => {
    assert.deepEqual(good({ main: { mode: undefined }, redis: undefined }), DEFAULTS)
  })

  it('rejects keys and sections that do not exist, and names those that do', () => {
    const { errors, redisUsable } = parse({
      main: { mod: 'off' },
      alowance: { limits: '1/1h' },
      constructor: { a: 1 },
    })
    const all = Object.values(SECTIONS)
      .map(({ name }) => name)
      .join(', ')
    assert.match(all, /^main, allowance, .*alerts, alert NAME, /)
    assert.deepEqual(errors, [
      '[main] mod: no such key; there are mode, override, refuse_at',
      `[alowance]: no such section; there are ${all}`,
      `[constructor]: no such section; there are ${all}`,
    ])
    assert.equal(redisUsable, true)
    assert.equal(parse({ redis: { hots: 'x' } }).redisUsable, false)
  })

  it('prefers the password in a file, which may be digits, to the one in the ini', () => {
    writeFileSync(path.join(directory, 'secret'), '0071234\n')
    const raw = { redis: { password_file: 'secret', password: 'other' } }
    assert.equal(good(raw).redis.password, '0071234')
    const absolute = { redis: { password_file: path.join(directory, 'secret') } }
    assert.equal(good(absolute).redis.password, '0071234')
    const sentinels = { redis: { sentinel_password_file: 'secret', sentinel_password: 'other' } }
    assert.equal(good(sentinels).redis.sentinelPassword, '0071234')
    assert.equal(good(sentinels).redis.password, undefined)
  })

  it('prefers the SRS secrets in a file, of which the first signs, to the one in the ini', () => {
    writeFileSync(path.join(directory, 'srs'), '0123456789012345\nthe-one-of-before\n')
    const srs = { domain: 'srs.relay.example', secret_file: 'srs', secret: 'not-this-one-at-all' }
    assert.deepEqual(good({ srs }).srs, {
      domain: 'srs.relay.example',
      secrets: ['0123456789012345', 'the-one-of-before'],
    })
  })

  it('reads the domains that nobody may register, and names the line of one that is none', () => {
    writeFileSync(
      path.join(directory, 'never'),
      '# customers\nISP.example # ours\n\nbücher.example\n',
    )
    const registry = { never_register_file: 'never' }
    const names = ['isp.example', 'xn--bcher-kva.example']
    assert.deepEqual(good({ registry }).registry.neverRegister, new Set(names))
    writeFileSync(path.join(directory, 'never-bad'), 'isp.example\nann@isp.example\n')
    const { config, errors } = parse({ registry: { never_register_file: 'never-bad' } })
    assert.match(
      errors[0]!,
      /^\[registry\] never_register_file: never-bad:2: "ann@isp.example" is not/,
    )
    assert.deepEqual(config.registry.neverRegister, new Set())
  })

  it('rejects an SRS domain whose secret is missing or can be guessed', () => {
    for (const [secret, message] of [
      ['', /^\[srs\] secret: empty, but domain is set/],
      ['tooshort', /^\[srs\] secret: a secret of 8 characters can be guessed/],
    ] as const) {
      const { config, errors } = parse({ srs: { domain: 'srs.relay.example', secret } })
      assert.equal(errors.length, 1)
      assert.match(errors[0]!, message)
      assert.deepEqual(config.srs, { domain: '', secrets: [] })
    }
  })

  it('rejects an SRS domain whose secret in a file can be guessed', () => {
    writeFileSync(path.join(directory, 'short'), 'tooshort\n')
    const { config, errors } = parse({ srs: { domain: 'srs.relay.example', secret_file: 'short' } })
    assert.match(errors.join(), /^\[srs\] secret: a secret of 8 characters can be guessed/)
    assert.deepEqual(config.srs, { domain: '', secrets: [] })
  })

  it('reads authorities, certificate and key from files, and repeats nothing of them', () => {
    const authority = new CertificateAuthority('redis')
    const { cert, key } = authority.issue({ commonName: 'haraka' })
    const other = authority.issue({ commonName: 'other' })
    const files = {
      ca: authority.cert + other.cert,
      cert,
      key,
      'other.key': other.key,
      cut: cert.slice(0, 200) + cert.slice(260),
      text: `no PEM ${key.slice(40, 80)}`,
      locked: key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE'),
    }
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path.join(directory, name), content)
    }
    const all = {
      tls: 'true',
      tls_ca: 'ca',
      tls_cert: 'cert',
      tls_key: path.join(directory, 'key'),
    }
    const { tlsCa, tlsCert, tlsKey } = good({ redis: all }).redis
    assert.deepEqual([tlsCa, tlsCert, tlsKey], [files.ca, cert, key])

    for (const [redis, reason] of [
      [{ tls_ca: 'missing' }, /^\[redis\] tls_ca: \S+missing does not exist$/],
      [{ tls_ca: '.' }, /^\[redis\] tls_ca: \S+ is no regular file$/],
      [{ tls_ca: 'empty' }, /^\[redis\] tls_ca: empty holds no certificate: .*PEM/],
      [{ tls_ca: 'key' }, /^\[redis\] tls_ca: key holds no certificate/],
      [{ tls_ca: 'cut' }, /^\[redis\] tls_ca: cut: certificate 1 is damaged/],
      [{ tls_cert: 'text' }, /^\[redis\] tls_cert: text holds no certificate/],
      [{ tls_key: 'text' }, /^\[redis\] tls_key: text holds no private key/],
      [{ tls_key: 'cert' }, /^\[redis\] tls_key: cert holds no private key/],
      [{ tls_key: 'locked' }, /^\[redis\] tls_key: locked is encrypted: /],
      [{ tls_key: 'other.key' }, /^\[redis\] tls_key: is not the key of the first certificate/],
      [{ tls_key: '' }, /^\[redis\] tls_cert: set, but tls_key is not/],
      [{ tls_cert: '' }, /^\[redis\] tls_key: set, but tls_cert is not/],
      [{ tls: 'false', tls_key: '', tls_cert: '' }, /^\[redis\] tls_ca: set, but tls is false/],
    ] as [Record<string, string>, RegExp][]) {
      const { errors, redisUsable } = parse({ redis: { ...all, ...redis } })
      assert.match(errors[0] ?? '', reason)
      assert.equal(redisUsable, false)
      for (const secret of key.split('\n').slice(1, -2)) {
        assert.ok(!errors.join().includes(secret.slice(0, 20)), errors.join())
      }
    }
  })

  it('repeats no password in a message', () => {
    const { errors } = parse({ redis: { password: 71234, password_file: '' } })
    assert.equal(errors.length, 1)
    assert.doesNotMatch(errors[0]!, /71234/)
  })

  it('rejects keys of [redis] that contradict each other', () => {
    const wrong = (redis: Record<string, unknown>): string => {
      const { errors, redisUsable } = parse({ redis })
      assert.equal(redisUsable, false)
      return errors.join('; ')
    }
    assert.match(wrong({ sentinels: ['a:1'] }), /^\[redis\] sentinel_name: empty.*name the primary/)
    assert.match(
      wrong({ sentinels: ['a:1'], sentinel_name: 'x', cluster: ['b:2'] }),
      /^\[redis\] cluster\[\] and sentinels\[\] are both set: keep one of them$/,
    )
    assert.match(wrong({ cluster: ['b:2'], db: 2 }), /^\[redis\] db: 2, but a Redis Cluster/)
    const { redis } = good({ redis: { sentinels: ['192.0.2.1:26379'], sentinel_name: 'x', db: 2 } })
    assert.deepEqual(redis.sentinels, [a])
  })
})

describe('the snapshot file', () => {
  it('is next to the queue directory, also where queue_dir moves it', () => {
    const place = scratchDir('site')
    writeFileSync(path.join(place, 'queue_dir'), '/var/spool/haraka\n')
    const { config } = parseConfig({}, place)
    assert.equal(config.outage.snapshot, '/var/spool/unregistered-domain.snapshot')
    const { config: usual } = parseConfig({}, path.join(place, 'config'))
    assert.equal(usual.outage.snapshot, path.join(place, 'unregistered-domain.snapshot'))
  })
})

describe('the shipped ini file', () => {
  const text = readFileSync(path.join(packageRoot(), 'config', CONFIG_FILE), 'utf8')

  it('sets every key to its default', () => {
    const { outage } = DEFAULTS
    assert.deepEqual(loadConfig(undefined).config, {
      ...DEFAULTS,
      outage: { ...outage, snapshot: '' },
    })
    const shipped = loadConfig(path.join(packageRoot(), 'config')).config
    assert.deepEqual({ ...shipped, owner: 0, outage }, DEFAULTS)
  })

  it('has every key of the tables with its default, and no other', () => {
    const shipped: Record<string, string> = {}
    let section = ''
    for (const line of text.split('\n')) {
      section = /^\[(\w+)\]/.exec(line)?.[1] ?? section
      const [, list, key = list, value = ''] = /^(?:; (\w+)\[\]=.*|(\w+)=(.*))$/.exec(line) ?? []
      if (key !== undefined) shipped[`[${section}] ${key}`] = value
    }
    const tables = Object.values(SECTIONS)
      .filter((each) => !isNamed(each))
      .flatMap<IniKey>(({ keys }) => keys)
    const defaults = tables.map(({ id, fallback }) => [id, [fallback].flat().join()])
    assert.deepEqual(shipped, Object.fromEntries(defaults))
  })

  it('shows the keys of named sections with their defaults, commented out', () => {
    for (const { word, keys } of Object.values(SECTIONS).filter(isNamed)) {
      const [, example = ''] =
        new RegExp(`^;\\[${word} [a-z]+\\]\\n((?:;.*\\n)+)`, 'm').exec(text) ?? []
      const shown = [...example.matchAll(/^;(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value])
      assert.deepEqual(
        shown,
        keys.map(({ name, fallback }) => [name, fallback]),
      )
    }
  })

  it('says for each key whether all hosts must agree', () => {
    const tables = Object.values(SECTIONS).flatMap<IniKey>(({ keys }) => keys)
    for (const { id, reach } of tables) assert.match(reach, /^(site|host)$/, id)
    const site = tables.filter(({ reach }) => reach === 'site').map(({ id }) => id)
    // Hosts that differ in these would count in different keys, or sign senders that others cannot unwrap.
    for (const id of ['[redis] prefix', '[redis] db', '[srs] secret', '[srs] secret_file']) {
      assert.ok(site.includes(id), id)
    }
  })

  it('has no line that haraka-config cannot read, and no comment after a value', () => {
    for (const line of text.split('\n')) {
      assert.match(line, /^(;.*|\[\w+\]|\w+=[^;#]*|)$/)
    }
  })
})

function site(ini: string): string {
  const place = scratchDir('site')
  mkdirSync(path.join(place, 'config'))
  writeFileSync(path.join(place, 'config', CONFIG_FILE), ini)
  return path.join(place, 'config')
}

/** `line: message; instead` each. */
function messages({ errors }: ConfigFile): string[] {
  return errors.map(({ line, message, instead }) => `${line ?? ''}: ${message}; ${instead}`)
}

describe('an ini file with mistakes', () => {
  it('has the defaults in place of its mistakes at the start, and the rest in effect', () => {
    const file = readConfigFile(
      site(
        '[main]\noverride=off\nmode monitor\n[null]\nlimits="5/1h"\n[alerts]\nwebhook=https://a.example/secret\nmail_to=a@b.example\n[srs]\ndomain=srs.example\nsecret=tooshort\n',
      ),
    )!
    assert.deepEqual(messages(file).slice(0, 2), [
      '3: [main] mode: the line has no "=": a key is written KEY=VALUE, a comment begins with ; or #; the default is in effect: mode=enforce',
      '5: [null] limits: ""5/1h"" is not a limit: write COUNT/WINDOW with s, m, h or d, for example 300/1h, 1500/1d, or "unlimited"; write values without quotes; the default is in effect: limits=300/1h, 1500/1d',
    ])
    const { main, null: nullSender, alerts, srs } = file.config
    assert.deepEqual([main.mode, main.override], ['enforce', 'off'])
    assert.deepEqual(nullSender.limits, DEFAULTS.null.limits)
    assert.deepEqual([alerts.webhook, alerts.mailTo], ['', ['a@b.example']])
    assert.deepEqual(srs, { domain: '', secrets: [] })
    assert.equal(file.redisUsable, true)
  })

  it('names the line, and what is in effect', () => {
    const file = readConfigFile(site('[redis]\nport=0\n[alowance]\n[main]\nmodes=off # now\n'))!
    assert.match(messages(file)[0]!, /^2: \[redis\] port: "0" is not .*; Redis is not asked$/)
    assert.match(
      messages(file)[1]!,
      /^3: \[alowance\]: no such section; there are .*; its keys have no effect$/,
    )
    assert.match(messages(file)[2]!, /^5: \[main\] modes: no such key; .*; the line has no effect$/)
    assert.equal(file.redisUsable, false)
  })

  it('names the section or key that was meant, where only the spelling differs', () => {
    const file = readConfigFile(
      site('[Null]\n[main]\nrefuse-at=rcpt\nlimits=1/1h\nmail_to=\n[headerfrom]\n'),
    )!
    assert.deepEqual(
      file.errors.map(({ message }) => message),
      [
        '[Null]: no such section; write [null]',
        '[main] refuse-at: no such key; write refuse_at',
        '[main] limits: no such key; it belongs below [allowance] or [null]',
        '[main] mail_to: no such key; it belongs below [alerts]',
        '[headerfrom]: no such section; write [header_from]',
      ],
    )
  })

  it('may have names that JavaScript knows', () => {
    const file = readConfigFile(site('[constructor]\nfoo\n[main]\n__proto__=1\ntoString\n'))!
    assert.deepEqual(
      file.errors.map(({ line, message }) => `${line}: ${message.slice(0, 24)}`),
      [
        '1: [constructor]: no such s',
        '2: the line has no "=": a k',
        '4: [main] __proto__: no suc',
        '5: the line has no "=": a k',
      ],
    )
  })

  it('may have a damaged line for a secret that is read from a file', () => {
    const place = site('[srs]\ndomain=srs.example\nsecret_file=srs\nsecret abc\n')
    writeFileSync(path.join(place, 'srs'), '0123456789abcdef\n')
    const file = readConfigFile(place)!
    assert.deepEqual(file.config.srs.secrets, ['0123456789abcdef'])
    assert.match(messages(file).join(), /^4: \[srs\] secret: the line has no "="/)
  })

  it('keeps a process from Redis where a line of [redis] is damaged', () => {
    for (const text of ['[redis]\nhost a.example', '[redis', '[redis]\nport=\\', '[Redis]']) {
      assert.equal(readConfigFile(site(`${text}\n`))!.redisUsable, false, text)
    }
  })

  it('is not read where it is not text, or not a file', () => {
    const place = site('')
    writeFileSync(path.join(place, CONFIG_FILE), Buffer.from('\ufeff[main]\nmode=off\n', 'utf16le'))
    assert.throws(() => readConfigFile(place), /unregistered-domain\.ini is no text in UTF-8/)
    rmSync(path.join(place, CONFIG_FILE))
    assert.equal(readConfigFile(place), undefined)
    mkdirSync(path.join(place, CONFIG_FILE))
    assert.throws(() => readConfigFile(place), /unregistered-domain\.ini is no regular file/)
  })

  it('sets no key where it is empty, or has comments and sections only', () => {
    for (const [text, isEmpty] of [
      ['', true],
      ['\n \n', true],
      ['; mode=off\n[main]\n', true],
      ['override off\n', true],
      ['[main]\nmode=off', false],
    ] as const) {
      assert.equal(readConfigFile(site(text))!.isEmpty, isEmpty, text)
    }
  })
})

describe('an ini file read again', () => {
  const FIRST =
    '[main]\nmode=monitor\noverride=\n[allowance]\nlimits=2/1h\n[null]\nlimits=1/1h\n[egress]\nbind=192.0.2.9\n'

  /** Reads a file and its changed versions, as a process does. */
  function again(text: string, { first = FIRST, between = '' } = {}): ConfigFile {
    const place = site(first)
    const { settings: started } = readConfigFile(place)!
    let now = started
    let file: ConfigFile | undefined
    for (const content of [between || first, text]) {
      writeFileSync(path.join(place, CONFIG_FILE), content)
      file = readConfigFile(place, { running: { started, now } })!
      now = file.settings
    }
    return file!
  }

  const limits = ({ config }: ConfigFile) => [
    formatLimits(config.allowance.limits),
    formatLimits(config.null.limits),
  ]

  it('keeps the previous value of a key that is wrong, and changes the rest', () => {
    const file = again(FIRST.replace('2/1h', 'two').replace('1/1h', '7/1h'))
    assert.deepEqual(limits(file), ['2/1h', '7/1h'])
    assert.equal(messages(file).length, 1)
    assert.match(
      messages(file)[0]!,
      /^5: \[allowance\] limits: "two" is not .*; limits=2\/1h stays in effect$/,
    )
    // An absent key has its default: no line was meant for it.
    assert.deepEqual(limits(again('[allowance]\nlimits=two\n')), ['2/1h', '300/1h, 1500/1d'])
  })

  for (const [text, ...instead] of [
    ['[main]\nmode monitor\n', 'mode=monitor stays in effect'],
    ['[main]\nmode: off\n', 'mode=monitor stays in effect'],
    ['[main]\nmode=off ; now\n', 'mode=monitor stays in effect'],
    ['[main]\nmode=\\\n', 'mode=monitor stays in effect'],
    ['[main]\nmodes=off\n', 'the line has no effect', 'mode=monitor stays in effect'],
    ['[main]\nthe mode=off\n', 'the line has no effect', 'mode=monitor stays in effect'],
    ['[Main]\nmode=off\n', 'its keys have no effect', 'mode=monitor stays in effect'],
  ] as const) {
    it(`keeps a key that a damaged line may have been meant for: ${JSON.stringify(text)}`, () => {
      const rest = FIRST.slice(FIRST.indexOf('[allowance]'))
      const file = again(text + rest)
      assert.equal(file.config.main.mode, 'monitor')
      assert.deepEqual(
        file.errors.map((error) => error.instead),
        instead,
      )
      assert.deepEqual(limits(file), ['2/1h', '1/1h'])
    })
  }

  it('keeps the settings of a section whose section line was lost', () => {
    for (const line of ['[nul]', 'null]', '']) {
      const file = again(
        FIRST.replace('[null]\nlimits', `${line}\nlimit`).replace('[egress]', '[egres'),
      )
      assert.equal(limits(file)[1], '1/1h', line)
      assert.equal(file.config.egress.bind, '192.0.2.9', line)
    }
  })

  it('reads a section line with a comment after it as that section', () => {
    const file = again(FIRST.replace('[null]', '[null] ; bounces').replace('1/1h', '9/1h'))
    assert.deepEqual(limits(file), ['2/1h', '9/1h'])
    assert.match(messages(file)[0]!, /^6: the line is no section: .*; it is read as \[null\]$/)
  })

  for (const [what, text, override] of [
    [
      'set',
      '[main]\nmode=on\noverride=off\nfoo\n[allowance\nlimits=x\n[nul]\n[redis]\nport=x\n',
      'off',
    ],
    ['set above all section lines', 'override=off\n[main\nmode off\n', 'off'],
    [
      'set after a damaged section line',
      '[allowance]\nlimits=1/1h\n[main] ; override\noverride=off',
      'off',
    ],
    ['set with CRLF and a BOM', '\ufeff[main]\r\noverride=off\r\nmode\r\n', 'off'],
    ['released', '[main]\noverride=\nmode off\n[redis]\nhost\n', undefined],
    ['released by taking it out', '[main]\nmode=on\n[alowance]\n', undefined],
    ['kept where its line is not understood', '[main]\noverride: off\nmode=off\n', 'monitor'],
  ] as const) {
    it(`has the override ${what}, despite other mistakes`, () => {
      const first = FIRST.replace('override=', 'override=monitor')
      const file = again(text, { first })
      assert.ok(file.errors.length > 0)
      assert.equal(file.config.main.override, override)
    })
  }

  it('keeps all of a section whose keys contradict each other', () => {
    const sound = `${FIRST}[srs]\ndomain=srs.example\nsecret=0123456789abcdef-old\n[alerts]\nwebhook=https://a.example/x\nwebhook_secret=${WEBHOOK_SECRET}\n`
    const file = again(
      `${FIRST}[srs]\ndomain=other.example\nsecret=\n[alerts]\nwebhook=https://b.example/x\nmail_to=a@b.example\n`,
      { first: sound },
    )
    assert.deepEqual(file.config.srs, {
      domain: 'srs.example',
      secrets: ['0123456789abcdef-old'],
    })
    assert.equal(file.config.alerts.webhook, 'https://a.example/x')
    assert.equal(file.config.alerts.webhookSecret, WEBHOOK_SECRET)
    assert.deepEqual(file.config.alerts.mailTo, [])
    assert.deepEqual(
      file.errors.map(({ line, instead }) => [line, instead]),
      [
        [12, 'all of [srs] stays as it was'],
        [14, 'all of [alerts] stays as it was'],
      ],
    )
  })

  it('keeps the secrets of a file that was removed, and repeats none', () => {
    const place = site('[srs]\ndomain=srs.example\nsecret_file=srs\n')
    const secret = path.join(place, 'srs')
    writeFileSync(secret, '0123456789abcdef\n')
    const { settings } = readConfigFile(place)!
    rmSync(secret)
    const file = readConfigFile(place, { running: { started: settings, now: settings } })!
    assert.deepEqual(file.config.srs.secrets, ['0123456789abcdef'])
    assert.equal(messages(file).length, 1)
    assert.match(
      messages(file)[0]!,
      /^3: \[srs\] secret_file: \S+ does not exist; the former secret_file stays in effect$/,
    )
  })

  it('needs a restart while the file differs from what the process started with', () => {
    const changed = `${FIRST}[redis]\nport=6380\n[tenants]\nfile=x.yaml\napply=false\n[outage]\nsnapshot=\n[tag]\nheader=X-Tag\n`
    const names = [
      '[tag] header',
      '[redis]',
      '[outage] snapshot',
      '[tenants] file',
      '[tenants] apply',
    ]
    for (const between of [FIRST, changed]) {
      const { restart, config } = again(changed, { between })
      assert.deepEqual(restart, names)
      assert.deepEqual(config.redis.port, 6379)
      assert.deepEqual(config.tenants, DEFAULTS.tenants)
      assert.deepEqual(config.tag.header, '')
    }
    assert.deepEqual(again(FIRST, { between: changed }).restart, [])
  })

  it('keeps the password that the process has started with when it moves into a file', () => {
    const first = '[redis]\npassword=at-the-start\n'
    const place = site(first)
    const { settings: started } = readConfigFile(place)!
    writeFileSync(path.join(place, 'redis.password'), 'moved\n')
    writeFileSync(path.join(place, CONFIG_FILE), '[redis]\npassword_file=redis.password\n')
    const file = readConfigFile(place, { running: { started, now: started } })!
    assert.equal(file.config.redis.password, 'at-the-start')
    assert.deepEqual(file.restart, ['[redis]'])
  })

  // Of each feature that needs hooks: what is off, and what is on.
  for (const [name, key, off, on] of [
    ['forwarded', 'enabled', 'false', 'true'],
    ['header_from', 'check', 'report', 'charge'],
    ['attribution', 'grant_relay', 'false', 'true'],
    ['srs', 'domain', '', 'srs.example'],
    ['tag', 'header', '', 'X-Tag'],
  ] as const) {
    const more = name === 'srs' ? 'secret=0123456789abcdef\n' : ''
    const ini = (value: string): string => `[${name}]\n${key}=${value}\n${more}`
    const inEffect = ({ settings }: ConfigFile): unknown => settings.get(keyId(name, key))?.given

    it(`keeps [${name}] ${key} off until a restart, since its hooks are not registered`, () => {
      const file = again(ini(on), { first: ini(off) })
      assert.deepEqual([file.restart, inEffect(file)], [[`[${name}] ${key}`], off])
    })

    it(`turns [${name}] ${key} off, and on again, without a restart`, () => {
      const turnedOff = again(ini(off), { first: ini(on) })
      assert.deepEqual([turnedOff.restart, inEffect(turnedOff)], [[], off])
      const turnedOn = again(ini(on), { first: ini(on), between: ini(off) })
      assert.deepEqual([turnedOn.restart, inEffect(turnedOn)], [[], on])
    })
  }

  it('keeps the value in effect, not that of the start, where a restart is needed', () => {
    const { config } = again('[header_from]\ncheck=charge\n', {
      first: '[header_from]\ncheck=report\n',
      between: '[header_from]\ncheck=off\n',
    })
    assert.equal(config.headerFrom.check, 'off')
  })

  it('needs no restart for another header of the tag, or none', () => {
    for (const header of ['X-Other', '']) {
      const { restart, config } = again(`[tag]\nheader=${header}\n`, {
        first: '[tag]\nheader=X-Tag\n',
      })
      assert.deepEqual([restart, config.tag.header], [[], header])
    }
  })

  it('keeps the [redis] that the process has started with, not a later one', () => {
    const file = again('[redis]\nport=x\n', {
      first: '[redis]\nport=1\n',
      between: '[redis]\nport=2\n',
    })
    assert.equal(file.config.redis.port, 1)
    assert.deepEqual(file.restart, [])
    assert.match(messages(file)[0]!, /; port=1 stays in effect$/)
  })
})

describe('loadConfig', () => {
  it('reads a file over the shipped defaults', () => {
    const place = site(
      '[main]\nmode=monitor\n[redis]\ncluster[]=192.0.2.1:26379\ncluster[]=redis.example:1\n',
    )
    const { main, redis, allowance } = loadConfig(place).config
    assert.equal(main.mode, 'monitor')
    assert.deepEqual(redis.cluster, [a, b])
    assert.deepEqual(allowance, DEFAULTS.allowance)
    assert.equal(hasConfigFile(place), true)
  })

  it('gives the defaults where there is no file', () => {
    const place = scratchDir('site')
    assert.deepEqual(loadConfig(place).config, DEFAULTS)
    assert.equal(hasConfigFile(place), false)
  })

  it('does not treat a file that may not be read as absent', { skip: !canDropRights }, async () => {
    const place = site('[redis]\nport=6380\n')
    chmodSync(path.dirname(path.dirname(place)), 0o755)
    chmodSync(path.dirname(place), 0o755)
    await withoutRights(() => assert.equal(loadConfig(place).config.redis.port, 6380))
    const message = /unregistered-domain\.ini cannot be read \(EACCES\): run tenantctl as root/
    for (const [entry, mode] of [
      [path.join(place, CONFIG_FILE), 0o600],
      [place, 0o700],
    ] as const) {
      chmodSync(entry, mode)
      await withoutRights(() => {
        assert.equal(hasConfigFile(place), true)
        assert.throws(() => loadConfig(place), message)
      })
    }
  })

  it('names the file, and every mistake with its line', () => {
    const place = site('[main]\nmode=on\n[redis]\npassword=0071234\nhots=x\n')
    const loaded = loadConfig(place)
    const file = path.join(place, CONFIG_FILE)
    const lines = loaded.errors.map((error) => loaded.located(error))
    assert.equal(lines.length, 3)
    assert.ok(lines[0]!.startsWith(`${file}:2: [main] mode: "on" is not one of`))
    assert.ok(lines[1]!.startsWith(`${file}:4: [redis] password: `))
    assert.ok(lines[2]!.startsWith(`${file}:5: [redis] hots: no such key`))
  })

  it('stops what needs a section with a mistake, and names only the mistakes there', () => {
    const place = site('[main]\nmode=on\n[case]\nchecklist=maybe\n[alerts]\nmail_to=x\n')
    const loaded = loadConfig(place)
    assert.equal(loaded.needed('report', 'redis').report, loaded.config.report)
    assert.throws(
      () => loaded.needed('report', 'case', 'main'),
      (error: unknown) => {
        assert.ok(error instanceof FileMistakes)
        const lines = error.message.split('\n').map((line) => /ini:(\d+): /.exec(line)?.[1])
        assert.deepEqual(lines, ['2', '4'])
        return true
      },
    )
  })

  it('finds the password file next to the ini', () => {
    const place = site('[redis]\npassword_file=redis.password\n')
    writeFileSync(path.join(place, 'redis.password'), ' 00x \n')
    assert.equal(loadConfig(place).config.redis.password, '00x')
  })

  it('rejects a password of several lines, or of more than 1,024 octets, and repeats nothing of it', () => {
    const place = site(
      '[redis]\npassword_file=redis.password\nsentinel_password_file=redis.password\n',
    )
    for (const [content, message] of [
      ['root:$6$abc:19000\nann:$6$def:19000\n', 'holds more than one line'],
      ['root:$6$abc:19000\rann:$6$def:19000', 'holds more than one line'],
      [`$6$abc${'é'.repeat(510)}`, 'holds more than 1024 octets'],
    ] as const) {
      writeFileSync(path.join(place, 'redis.password'), content)
      const text = mistakes(place)
      assert.match(text, new RegExp(`\\[redis\\] password_file: redis\\.password ${message}`))
      assert.match(text, /\[redis\] sentinel_password_file: /)
      assert.doesNotMatch(text, /abc/)
    }
    writeFileSync(path.join(place, 'redis.password'), `${'é'.repeat(512)}\r\n`)
    assert.equal(loadConfig(place).config.redis.password, 'é'.repeat(512))
  })

  it('rejects a pipe at once, and a directory', () => {
    const place = site('[redis]\npassword_file=pipe\n')
    execFileSync('mkfifo', [path.join(place, 'pipe')])
    assert.match(mistakes(place), /\[redis\] password_file: .*pipe is no regular file/)
    writeFileSync(path.join(place, CONFIG_FILE), '[srs]\nsecret_file=.\n')
    assert.match(mistakes(place), /\[srs\] secret_file: .* is no regular file/)
    const odd = scratchDir('config')
    execFileSync('mkfifo', [path.join(odd, CONFIG_FILE)])
    assert.match(mistakes(odd), /unregistered-domain\.ini is no regular file/)
  })

  describe(
    'what the ini file names',
    { skip: !canDropRights && 'only root can give files away' },
    () => {
      const STRANGER = 65_534
      const SECRET = 'whsec_' + Buffer.alloc(32).toString('base64')
      const keys = [
        ['redis', 'password_file', ''],
        ['redis', 'sentinel_password_file', ''],
        ['redis', 'tls_ca', 'tls=true\n'],
        ['redis', 'tls_cert', 'tls=true\n'],
        ['redis', 'tls_key', 'tls=true\n'],
        ['alerts', 'webhook_secret_file', ''],
        ['srs', 'secret_file', ''],
      ] as const
      for (const [section, key, more] of keys) {
        it(`[${section}] ${key} of another user is not read for an ini file that is not root's`, () => {
          const place = site(`[${section}]\n${more}${key}=named\n`)
          const ini = path.join(place, CONFIG_FILE)
          writeFileSync(path.join(place, 'secret'), SECRET)
          symlinkSync('secret', path.join(place, 'named'))
          const refused = new RegExp(
            `${key}: .*/named belongs to uid (\\d+), and the ini file .* to uid (\\d+)`,
          )
          const uids = (): string[] | undefined => refused.exec(mistakes(place))?.slice(1)
          assert.equal(uids(), undefined)
          // The owner of the link does not count.
          chownSync(path.join(place, 'secret'), 1, 1)
          assert.equal(uids(), undefined)
          chownSync(ini, STRANGER, STRANGER)
          assert.deepEqual(uids(), ['1', `${STRANGER}`])
          chownSync(path.join(place, 'secret'), 0, 0)
          assert.deepEqual(uids(), ['0', `${STRANGER}`])
          chownSync(path.join(place, 'secret'), STRANGER, STRANGER)
          assert.equal(uids(), undefined)
        })
      }
    },
  )

  /** All that is wrong with the ini file. */
  function mistakes(place: string): string {
    try {
      return loadConfig(place)
        .errors.map(({ message }) => message)
        .join('\n')
    } catch (error) {
      return (error as Error).message
    }
  }
})
