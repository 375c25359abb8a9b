import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { Ledger } from '../../src/allowance/ledger'
import { AlertQueue } from '../../src/alerts/queue'
import { SCHEDULE } from '../../src/alerts/schedule'
import { parseLimits } from '../../src/mail/limits'
import { freezeEvidence } from '../../src/cases/freeze'
import { DAY } from '../../src/reporting/calendar'
import { OTHER, unattributedField } from '../../src/reporting/rows'
import { reportLost, type Finding } from '../../src/registry/lost-changes'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'
import { scratchDir } from '../../scripts/services/scratch'
import {
  Observation,
  refused,
  rulesOf,
  startGuardedRedis,
  superfluous,
  urlFor,
  type Role,
} from '../support/acl'
import { freezing, trip } from '../support/evidence'
import { TestDns } from '../support/dns'
import { queueFile } from '../support/queue-files'
import { OrderedHost, served } from '../support/queue-host'
import type { TestRedis } from '../support/redis'
import { keyZones, signer, signMessage } from '../support/signed'
import { add, countsOf, record, recordSamples } from '../support/reports'
import { FORWARDS_ON, tenantctl, type Result } from '../cli/cli'

const keys = new Keys('ud:')

/** Sent by every connection, but never shown by MONITOR. */
const UNSEEN = ['hello']

const TENANTS_FILE = `id: site
tenants:
  tailspin:
    limits: 5/1h
    domains: [tailspin.com, { name: tailspin.de, subdomains: true }]
    connectors: { web: { ip: [192.0.2.9] } }
`
const SMALLER_FILE = `id: site
tenants:
  tailspin: { domains: [tailspin.com], connectors: { web: { ip: [192.0.2.10] } } }
`

const FORWARD = 'From: news@lists.example\r\nTo: ann@adatum.com\r\n\r\nHello\r\n'
/** Placeholder for the address of the name server. */
const DNS = 'NAMESERVER'

const ALERTS_INI = `${FORWARDS_ON}[outage]\nsnapshot=\n[alerts]\nmail_to=ops@relay.example\n`

describe('tenantctl with the users of docs/acl', () => {
  let redis: TestRedis
  let admin: Redis
  let cwd: string
  let dns: TestDns
  beforeEach(async () => {
    dns = await TestDns.start(keyZones([signer({ domain: 'lists.example' })]))
    redis = await startGuardedRedis(['tenantctl', 'tenantctl-read'])
    admin = redis.client()
    await admin.ping()
    cwd = scratchDir('acl')
    writeFileSync(path.join(cwd, 'tenants.yaml'), TENANTS_FILE)
    writeFileSync(path.join(cwd, 'smaller.yaml'), SMALLER_FILE)
    writeFileSync(path.join(cwd, 'signed.eml'), signMessage(FORWARD, { domain: 'lists.example' }))
    mkdirSync(path.join(cwd, 'alerts'))
    mkdirSync(path.join(cwd, 'queue'))
    writeFileSync(path.join(cwd, 'alerts/unregistered-domain.ini'), ALERTS_INI)
  })
  afterEach(async () => {
    await redis.stop()
    await dns.stop()
  })

  function run(role: Role, line: string, stdin = ''): Promise<Result> {
    const args = line
      .replace(DNS, dns.address)
      .split(' ')
      .map((word) => word.replaceAll('_', ' '))
    return tenantctl(['--redis', urlFor(redis, role), ...args], { cwd, stdin })
  }

  /** Follows events until none are left. */
  async function followEvents(role: Role): Promise<void> {
    const interrupt = new AbortController()
    const args = ['--redis', urlFor(redis, role), 'events', '--follow']
    const ended = tenantctl(args, { cwd, interrupt: interrupt.signal })
    await waitFor(async () => String(await admin.client('LIST')).includes('cmd=xread'))
    interrupt.abort()
    const { status, err } = await ended
    assert.equal(status, 0, err)
  }

  async function given(role: Role, ...lines: string[]): Promise<void> {
    for (const line of lines) {
      const { status, err } = await run(role, line)
      assert.equal(status, 0, `${line}: ${err}`)
    }
  }

  /** Counts like the plugin, as a user of the tests. */
  async function charge(tenant: string, transaction = 'T1'): Promise<void> {
    const limits = parseLimits('300/1h')
    await new Ledger(new Store(admin, keys), 5000).charge(
      {
        tenant,
        meter: 'unregistered',
        transaction,
        ordinal: 1,
        domainsToken: (await admin.hget(keys.tenant(tenant), 'domains')) ?? '',
        domain: 'lure.example',
        connector: `${tenant}/web`,
        ip: '192.0.2.7',
      },
      {
        limits,
        nullLimits: limits,
        mode: 'enforce',
        override: undefined,
        warnAt: [],
        forwards: 'refuse',
      },
    )
  }

  /** Records like the plugin, as a user of the tests. */
  async function recordMail(): Promise<void> {
    const store = new Store(admin, keys)
    const at = Date.now()
    const day = Math.floor(at / DAY)
    await record(store, 'contoso', { at, accepted: 1 }, { at, domain: OTHER, refused: 1 })
    await recordSamples(store, 'contoso', at, {}, ['<1@lure.example>', 'lure.example'])
    const other = unattributedField({ ip: '192.0.2.9', user: '', certificate: '' })
    await add(store, keys.unattributedDay(day), other, countsOf({ at, accepted: 1 }))
    const event = trip(1, { case: 'fabrikam:1' })
    assert.equal(await freezeEvidence(freezing(store), 'fabrikam', event), 'frozen')
    for (const report of [keys.reportDay('contoso', day), keys.unattributedDay(day)]) {
      await admin.pfadd(keys.reportOthers(report), 'x.example')
    }
  }

  /** Leaves an alert that no Haraka has read. */
  async function watchAlerts(role: Role): Promise<void> {
    const store = new Store(admin, keys)
    await new AlertQueue(store, 'mail', SCHEDULE).turn(new Map(), 1)
    await admin.xadd(keys.events, `${Date.now()}-0`, 'kind', 'x')
    const { out } = await run(role, '--config alerts doctor')
    assert.match(out, /alert-queue: no alert waits long for mail/)
  }

  /** A site with something of everything. */
  const SETUP = [
    'tenant add contoso --name Contoso --limits 1/1h',
    'tenant add fabrikam',
    'domain add contoso contoso.com contoso.org',
    'domain add contoso contoso.net --subdomains',
    'domain add fabrikam p.local --shared',
    'connector add contoso web --ip 192.0.2.1 --auth web',
    'block fabrikam --reason test',
    'tenant add adatum --forwarded-limits 5/1h --force',
    'domain add adatum adatum.com',
    'connector add adatum mx --auth adatum',
  ]
  const READING = [
    'tenant show contoso',
    'tenant list',
    'tenant list --near --restricted',
    'domain list contoso',
    'domain show mail.contoso.net',
    'connector list',
    'connector show contoso web',
    'connector find 192.0.2.1',
    'connector find web',
    'find contoso',
    'find 192.0.2.1',
    'status',
    'status contoso',
    'status --near',
    'top --once',
    'metrics --once',
    'restricted',
    'alert contacts',
    'alert snooze --list',
    'enforcement status',
    'report',
    'report contoso --where domain^=lure',
    'report contoso --by hour --where domain^=lure',
    'unattributed',
    'evidence fabrikam',
    'evidence fabrikam --for-tenant',
    'unusual',
    'unusual contoso',
    'explain --from x@lure.example --ip 192.0.2.1',
    'explain --from x@contoso.com --auth y@contoso.net',
    `--config alerts explain --from x@lists.example --auth adatum --message signed.eml --dns ${DNS}`,
    '--config alerts queue contoso list --local',
    'apply tenants.yaml --dry-run',
    'audit',
    'audit contoso',
    'completion bash -- block c',
    'case list',
    'case list fabrikam --all',
    'case show fabrikam',
    'events',
    'events --tenant contoso',
    'suggest contoso --dns 127.0.0.1:1',
    'suggest fabrikam --dns 127.0.0.1:1',
    'registry status',
    'nodes',
  ]
  const RESOLVING = [
    'registry restore-known --reason test --yes ud: --backup lost.jsonl',
    'registry accept-redis --reason test --yes ud: --backup lost.jsonl',
  ]

  /** Redis has gone back in time; a process has put something back, or knows what is lost. */
  async function goBack(kind: 'back' | 'lost'): Promise<void> {
    const at = { subject: 'contoso', known: 2e15, found: 1e15 }
    const change = { what: 'mode', was: null, is: 'monitor' }
    const finding: Finding =
      kind === 'lost'
        ? { kind, ...at, changes: [change], more: 0 }
        : { kind, ...at, what: 'lift', case: '', time: 2e12 }
    await reportLost(new Store(admin, keys), [finding])
  }

  it('tenantctl: every command works, and the file allows nothing more', async () => {
    const observation = await Observation.begin(redis)
    // An expired entry is removed, and case numbers go on.
    await admin.rpush(keys.audit('contoso'), '1000\t\ttenant added\t\t\t\t\t')
    await admin.set(keys.caseCount('contoso'), '4')
    await admin.xadd(keys.events, '*', 'kind', 'test', 'tenant', 'contoso', 'json', '{}')
    await admin.hset(keys.eventsOpen, 'restricted\tcontoso\t', 'evt_1')
    await admin.zadd(keys.nodesSeen, 1, 'mx1/a')
    await admin.hset(keys.eventGroups, 'gcontoso\trestricted', 'evt_1 5')
    await given('tenantctl', ...SETUP)
    await recordMail()
    await goBack('back')
    await given(
      'tenantctl',
      'tenant set contoso --mode monitor',
      'tenant set contoso --mode default',
      'domain set contoso contoso.net --no-subdomains',
      'domain set contoso contoso.net --subdomains',
      'domain move contoso.org fabrikam',
      'domain remove fabrikam contoso.org',
      'connector set contoso web --add-ip 192.0.2.8 --remove-auth web',
      'connector set contoso web --add-auth web',
      'connector disable contoso web',
      'connector enable contoso web',
      'connector block contoso web --reason test',
      'connector unblock contoso web --reason test',
      'tenant set contoso --contact ann@contoso.com',
      'tenant set contoso --limits 900/1h --for 1h',
      'alert test',
      '--config alerts alert test',
      'alert contacts drop',
      'alert snooze contoso --kind unusual --for 1d --reason test',
      'alert snooze contoso --kind allowance --for 1d --reason test',
      'alert unsnooze contoso --kind unusual',
      'nodes forget mx1',
      'enforcement pause --reason test',
      'enforcement resume --reason test --fresh-windows',
      'case take fabrikam:1',
      'case release fabrikam:1',
      'case take fabrikam:1',
      'case note fabrikam:1 seen',
      'case check fabrikam proof servers --note seen',
      '--config alerts queue contoso drop --local --yes',
      ...READING,
      'incident contoso',
      'incident fabrikam:1',
      'connector remove contoso web',
      'apply tenants.yaml',
      'apply smaller.yaml --prune',
      'tenant detach tailspin',
      'tenant detach tailspin --undo',
    )
    const host = new OrderedHost(new Store(admin, keys), 'mx1')
    queueFile(host.host.directory, { tenant: 'contoso' })
    const orders = ['queue contoso', 'queue contoso show', 'queue contoso drop --yes']
    await served([host], () => given('tenantctl', ...orders))
    // A long list is written and read in batches.
    const names = Array.from({ length: 1500 }, (_, at) => `d${at}.example\n`).join('')
    assert.equal((await run('tenantctl', 'domain add tailspin -', names)).status, 0)
    await given('tenantctl', 'domain list tailspin', 'explain --from x@d1.example --ip 192.0.2.10')
    await charge('contoso')
    await given(
      'tenantctl',
      'status contoso',
      'unblock contoso --reason ok --keep-usage',
      'unblock fabrikam --reason ok --limits 1/1h --for 7d',
      'case close fabrikam:1 --note ok',
      'block contoso --all --reason test',
      'unblock contoso --reason ok',
    )
    for (const transaction of ['T2', 'T3']) await charge('contoso', transaction)
    // As the process does whose charge has tripped.
    await admin.sadd(keys.restricted, 'contoso')
    await given('tenantctl', 'unblock --since 2026-01-01 --reason ok --yes')
    await followEvents('tenantctl')
    await damage()
    const doctor = await run('tenantctl', 'doctor --repair')
    assert.match(doctor.out, /mended: /)
    await watchAlerts('tenantctl')
    assert.doesNotMatch(doctor.out, /fail {2}consistency/)
    await goBack('lost')
    await given('tenantctl', ...RESOLVING)
    await given('tenantctl', 'backup all.jsonl', 'tenant remove contoso --purge')
    await given(
      'tenantctl',
      'restore all.jsonl --force',
      'restore all.jsonl --tenant tailspin',
      'init --force',
      'purge --all --yes ud: --backup last.jsonl',
    )
    assert.deepEqual(await admin.keys('ud:*'), [])

    const used = await observation.end((user) => user !== 'admin')
    // Not in the file, since it reveals passwords of Redis; the doctor works without it.
    assert.deepEqual(await refused(admin), ['tenantctl: command config|get'])
    assert.deepEqual(superfluous(rulesOf('tenantctl'), used, UNSEEN), [])
  })

  it('tenantctl-read: reads everything, and the file allows nothing more', async () => {
    await given('tenantctl', ...SETUP)
    const names = Array.from({ length: 1500 }, (_, at) => `d${at}.example\n`).join('')
    assert.equal((await run('tenantctl', 'domain add contoso -', names)).status, 0)
    await charge('contoso')
    await recordMail()
    await goBack('back')
    const observation = await Observation.begin(redis)
    await given('tenantctl-read', ...READING)
    const metrics = await run('tenantctl-read', 'metrics --once')
    assert.doesNotMatch(metrics.err, /left out/)
    const doctor = await run('tenantctl-read', '--json doctor')
    const lines = JSON.parse(doctor.out) as { level: string; check: string }[]
    const failed = lines.filter(({ level }) => level === 'fail').map(({ check }) => check)
    assert.deepEqual(failed, ['forwarded'])
    const { out } = await run('tenantctl-read', 'incident contoso')
    assert.match(out, /^queue: this Redis user may not give orders to hosts$/m)
    await followEvents('tenantctl-read')
    await watchAlerts('tenantctl-read')
    await damage()
    assert.equal((await run('tenantctl-read', 'doctor')).status, 1)

    const used = await observation.end((user) => user !== 'admin')
    assert.deepEqual(await refused(admin), [
      'tenantctl-read: command config|get',
      'tenantctl-read: key ud:{@events}:orders',
    ])
    assert.deepEqual(superfluous(rulesOf('tenantctl-read'), used, UNSEEN), [])
  })

  it('tenantctl-read: every write is refused with a message, and nothing changes', async () => {
    await given('tenantctl', ...SETUP)
    await damage()
    await goBack('lost')
    const before = await contents()
    for (const line of [
      'tenant add tailspin',
      'tenant set contoso --mode monitor',
      'tenant remove contoso',
      'domain add contoso contoso.de',
      'domain remove contoso contoso.org',
      'domain set contoso contoso.net --no-subdomains',
      'domain move contoso.org fabrikam',
      'connector add contoso other --ip 192.0.2.3',
      'connector set contoso web --add-ip 192.0.2.8',
      'connector disable contoso web',
      'connector block contoso web --reason test',
      'connector remove contoso web',
      'block contoso --reason test',
      'unblock fabrikam --reason test',
      'case note fabrikam:1 test',
      'case check fabrikam:1 proof --note test',
      'queue contoso',
      'apply tenants.yaml',
      ...RESOLVING,
      'doctor --repair',
    ]) {
      const { status, out, err } = await run('tenantctl-read', line)
      assert.equal(status, 1, `${line}: ${out} ${err}`)
      assert.match(
        line.startsWith('doctor') ? out : err,
        /the Redis user tenantctl-read may not do this/,
        `${line}: ${out} ${err}`,
      )
      assert.deepEqual(await contents(), before, line)
    }
  })

  /** The content of Redis. */
  async function contents(): Promise<Record<string, unknown>> {
    const names = (await admin.keys('*')).sort()
    return Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await admin.dumpBuffer(name)] as const)),
    )
  }

  /** Faults that the doctor can repair, one of each kind. */
  async function damage(): Promise<void> {
    await admin.srem(keys.tenants, 'contoso')
    await admin.sadd(keys.tenants, 'nobody')
    await admin.sadd(keys.restricted, 'nobody')
    await admin.hset(keys.domains('contoso'), 'free.example', '- 1764000000000 root')
    await admin.hset(keys.ownerNames, 'gone.example', '- gone')
    await admin.zadd(keys.ownerIndex, 0, 'example.nothing')
    await admin.hset(keys.ownerMoves, 'contoso.com', 'fabrikam')
    await admin.hset(keys.connectorIdentities, 'ip 192.0.2.99', 'gone/web')
  }
})
