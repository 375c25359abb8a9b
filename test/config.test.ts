import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { scratchDir } from '../scripts/services/scratch'
import { parseLimits } from '../src/allowance/limits'
import { CONFIG_FILE, parseConfig, type Config, type RawIni } from '../src/config'
import { hasConfigFile, loadConfig } from '../src/config-file'
import { InputError } from '../src/errors'
import { packageRoot } from '../src/package-root'
import { CertificateAuthority } from './support/certificates'
import { asNobody, canBeNobody } from './support/nobody'

const directory = scratchDir('config')

function parse(raw: RawIni) {
  return parseConfig(raw, directory)
}

function good(raw: RawIni): Config {
  const { config, errors } = parse(raw)
  assert.deepEqual(errors, [])
  return config
}

const DEFAULTS = good({})

/** A value as haraka-config gives it, where it lands, and what it becomes there. */
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
  ['restriction', 'queued', 'hold', ({ restriction }) => restriction.queued, 'hold'],
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
  ['srs', 'secret_file', 'no.such.file', /ENOENT.*no\.such\.file/],
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
  ['redis', 'port', 0, /"0" is not a whole number from 1 to 65535/],
  ['redis', 'port', 65536, /"65536"/],
  ['redis', 'port', 63.5, /"63.5" is not a whole number/],
  ['redis', 'port', '', /"" is not a whole number/],
  ['redis', 'db', -1, /"-1" is not a whole number/],
  ['redis', 'username', ['a'], /is not a single value/],
  ['redis', 'password', 71234, /digits only.*password_file/],
  ['redis', 'password', 12.5, /digits only.*password_file/],
  ['redis', 'password_file', 'no.such.file', /ENOENT.*no\.such\.file/],
  ['redis', 'password_file', 'empty', /empty/],
  ['redis', 'tls', 'no', /"no" is not one of/],
  ['redis', 'prefix', 'a{b}', /"a\{b\}" must hold no space, nothing invisible and none of \{ \}/],
  ['redis', 'prefix', 'a b', /"a b" must hold no space/],
  ['redis', 'sentinels', ['redis.example'], /"redis.example" is not HOST:PORT/],
  ['redis', 'sentinels', ['::1:26379'], /"::1:26379" is not HOST:PORT/],
  ['redis', 'sentinel_name', ['a'], /is not a single value/],
  ['redis', 'sentinel_password', 712, /digits only.*sentinel_password_file/],
  ['redis', 'sentinel_password_file', 'no.such.file', /ENOENT.*no\.such\.file/],
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
    it(`takes [${section}] ${key}=${JSON.stringify(value)}`, () => {
      const config = good({ [section]: { [key]: value } })
      assert.deepEqual(read(config), expected)
    })
  }

  for (const [section, key, value, message] of BAD) {
    it(`refuses [${section}] ${key}=${JSON.stringify(value)}, and keeps the default`, () => {
      const { config, errors, redisUsable } = parse({ [section]: { [key]: value } })
      const error = errors.find((each) => each.startsWith(`[${section}] ${key}: `))
      assert.ok(error, errors.join('; '))
      assert.match(error, message)
      assert.deepEqual(config, DEFAULTS)
      assert.equal(redisUsable, section !== 'redis')
    })
  }

  it('says all that is wrong at once, and takes what is right', () => {
    const { config, errors } = parse({
      main: { mode: 'on', refuse_at: 'rcpt' },
      null: { limits: 'none' },
    })
    assert.equal(errors.length, 2)
    assert.equal(config.main.refuseAt, 'rcpt')
  })

  it('takes a key without a value for one that is not there', () => {
    assert.deepEqual(good({ main: { mode: undefined }, redis: undefined }), DEFAULTS)
  })

  it('refuses keys and sections that do not exist, and says which do', () => {
    const { errors, redisUsable } = parse({
      main: { mod: 'off' },
      alowance: { limits: '1/1h' },
      constructor: { a: 1 },
    })
    assert.deepEqual(errors, [
      '[main] mod: no such key; there are mode, override, refuse_at',
      '[alowance]: no such section; there are main, allowance, null, forwarded, foreign, header_from, egress, srs, tag, restriction, attribution, redis, outage, tenants, reply, report, alerts, unusual, case',
      '[constructor]: no such section; there are main, allowance, null, forwarded, foreign, header_from, egress, srs, tag, restriction, attribution, redis, outage, tenants, reply, report, alerts, unusual, case',
    ])
    assert.equal(redisUsable, true)
    assert.equal(parse({ redis: { hots: 'x' } }).redisUsable, false)
  })

  it('takes the password from a file, digits and all, before the one in the ini', () => {
    writeFileSync(path.join(directory, 'secret'), '0071234\n')
    const raw = { redis: { password_file: 'secret', password: 'other' } }
    assert.equal(good(raw).redis.password, '0071234')
    const absolute = { redis: { password_file: path.join(directory, 'secret') } }
    assert.equal(good(absolute).redis.password, '0071234')
    const sentinels = { redis: { sentinel_password_file: 'secret', sentinel_password: 'other' } }
    assert.equal(good(sentinels).redis.sentinelPassword, '0071234')
    assert.equal(good(sentinels).redis.password, undefined)
  })

  it('takes secrets for SRS from a file, the first of which signs, before the one in the ini', () => {
    writeFileSync(path.join(directory, 'srs'), '0123456789012345\nthe-one-of-before\n')
    const srs = { domain: 'srs.relay.example', secret_file: 'srs', secret: 'not-this-one-at-all' }
    assert.deepEqual(good({ srs }).srs, {
      domain: 'srs.relay.example',
      secrets: ['0123456789012345', 'the-one-of-before'],
    })
  })

  it('rewrites no sender without a secret that cannot be guessed', () => {
    for (const [secret, message] of [
      ['', /^\[srs\] secret: empty, but domain is set/],
      ['tooshort', /^\[srs\] secret: a secret of 8 characters is guessed/],
    ] as const) {
      const { config, errors } = parse({ srs: { domain: 'srs.relay.example', secret } })
      assert.equal(errors.length, 1)
      assert.match(errors[0]!, message)
      assert.deepEqual(config.srs, { domain: '', secrets: [] })
    }
  })

  it('takes authorities, certificate and key from files, and keeps what they hold to itself', () => {
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
      [{ tls_ca: 'missing' }, /^\[redis\] tls_ca: ENOENT.*missing/],
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

  it('never says a password', () => {
    const { errors } = parse({ redis: { password: 71234, password_file: '' } })
    assert.equal(errors.length, 1)
    assert.doesNotMatch(errors[0]!, /71234/)
  })

  it('refuses what contradicts itself', () => {
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
  it('is beside the queue directory, wherever that is', () => {
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

  it('holds the defaults of the code', () => {
    const { outage } = DEFAULTS
    assert.deepEqual(loadConfig(undefined), { ...DEFAULTS, outage: { ...outage, snapshot: '' } })
    const shipped = loadConfig(path.join(packageRoot(), 'config'))
    assert.deepEqual({ ...shipped, owner: 0, outage }, DEFAULTS)
  })

  it('has every key that there is', () => {
    const named: Record<string, string[]> = {}
    let section = ''
    for (const line of text.split('\n')) {
      section = /^\[(\w+)\]/.exec(line)?.[1] ?? section
      const key = /^(?:; )?(\w+)(?:\[\])?=/.exec(line)?.[1]
      if (key) (named[section] ??= []).push(key)
    }
    // Every key that is said not to be one of those that there are.
    const raw = Object.fromEntries(Object.keys(named).map((each) => [each, { 'no-such': 'x' }]))
    for (const error of parse(raw).errors) {
      const [, found = '', list = ''] = /^\[(\w+)\] no-such: no such key; there are (.*)$/.exec(
        error,
      )!
      assert.deepEqual([...new Set(named[found])].sort(), list.split(', ').sort(), found)
    }
    assert.ok(Object.keys(named).length >= 8)
  })

  it('has no line that haraka-config cannot read, and no comment behind a value', () => {
    for (const line of text.split('\n')) {
      assert.match(line, /^(;.*|\[\w+\]|\w+=[^;#]*|)$/)
    }
  })
})

describe('loadConfig', () => {
  function site(ini: string): string {
    const place = scratchDir('site')
    mkdirSync(path.join(place, 'config'))
    writeFileSync(path.join(place, 'config', CONFIG_FILE), ini)
    return path.join(place, 'config')
  }

  it('reads a file over the shipped defaults', () => {
    const place = site(
      '[main]\nmode=monitor\n[redis]\ncluster[]=192.0.2.1:26379\ncluster[]=redis.example:1\n',
    )
    const { main, redis, allowance } = loadConfig(place)
    assert.equal(main.mode, 'monitor')
    assert.deepEqual(redis.cluster, [a, b])
    assert.deepEqual(allowance, DEFAULTS.allowance)
    assert.equal(hasConfigFile(place), true)
  })

  it('takes the defaults where there is no file', () => {
    const place = scratchDir('site')
    assert.deepEqual(loadConfig(place), DEFAULTS)
    assert.equal(hasConfigFile(place), false)
  })

  it('does not take a file that may not be read for none', { skip: !canBeNobody }, async () => {
    const place = site('[redis]\nport=6380\n')
    chmodSync(path.dirname(path.dirname(place)), 0o755)
    chmodSync(path.dirname(place), 0o755)
    await asNobody(() => assert.equal(loadConfig(place).redis.port, 6380))
    const message = /unregistered-domain\.ini cannot be read \(EACCES\): run tenantctl as root/
    for (const [entry, mode] of [
      [path.join(place, CONFIG_FILE), 0o600],
      [place, 0o700],
    ] as const) {
      chmodSync(entry, mode)
      await asNobody(() => {
        assert.equal(hasConfigFile(place), true)
        assert.throws(() => loadConfig(place), message)
      })
    }
  })

  it('names the file and all that is wrong in it', () => {
    const place = site('[main]\nmode=on\n[redis]\npassword=0071234\nhots=x\n')
    assert.throws(
      () => loadConfig(place),
      (error: unknown) => {
        assert.ok(error instanceof InputError)
        assert.ok(error.message.startsWith(`${path.join(place, CONFIG_FILE)}: `))
        assert.match(error.message, /\[main\] mode: "on".*; \[redis\] password: /)
        assert.match(error.message, /\[redis\] hots: no such key/)
        return true
      },
    )
  })

  it('finds the password file beside the ini', () => {
    const place = site('[redis]\npassword_file=redis.password\n')
    writeFileSync(path.join(place, 'redis.password'), ' 00x \n')
    assert.equal(loadConfig(place).redis.password, '00x')
  })

  it('reads no password of several lines, or of more than 1,024 octets, and repeats nothing of it', () => {
    const place = site(
      '[redis]\npassword_file=redis.password\nsentinel_password_file=redis.password\n',
    )
    for (const [content, message] of [
      ['root:$6$abc:19000\nann:$6$def:19000\n', 'holds more than one line'],
      ['root:$6$abc:19000\rann:$6$def:19000', 'holds more than one line'],
      [`$6$abc${'é'.repeat(510)}`, 'holds more than 1024 octets'],
    ] as const) {
      writeFileSync(path.join(place, 'redis.password'), content)
      const { message: told } = mistake(place)
      assert.match(told, new RegExp(`\\[redis\\] password_file: redis\\.password ${message}`))
      assert.match(told, /\[redis\] sentinel_password_file: /)
      assert.doesNotMatch(told, /abc/)
    }
    writeFileSync(path.join(place, 'redis.password'), `${'é'.repeat(512)}\r\n`)
    assert.equal(loadConfig(place).redis.password, 'é'.repeat(512))
  })

  it('waits for no pipe, and reads no directory', () => {
    const place = site('[redis]\npassword_file=pipe\n')
    execFileSync('mkfifo', [path.join(place, 'pipe')])
    assert.match(mistake(place).message, /\[redis\] password_file: .*pipe is no regular file/)
    writeFileSync(path.join(place, CONFIG_FILE), '[srs]\nsecret_file=.\n')
    assert.match(mistake(place).message, /\[srs\] secret_file: .* is no regular file/)
    const odd = scratchDir('config')
    execFileSync('mkfifo', [path.join(odd, CONFIG_FILE)])
    assert.match(mistake(odd).message, /unregistered-domain\.ini is no regular file/)
  })

  describe(
    'what the ini file names',
    { skip: !canBeNobody && 'only root can give files away' },
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
          const uids = (): string[] | undefined => {
            try {
              loadConfig(place)
              return undefined
            } catch (error) {
              return refused.exec((error as Error).message)?.slice(1)
            }
          }
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

  function mistake(place: string): Error {
    try {
      loadConfig(place)
    } catch (error) {
      return error as Error
    }
    throw new Error('nothing is wrong')
  }
})
