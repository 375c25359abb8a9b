// The class, proof, meter and replies of each mail, by a real Haraka and by `tenantctl explain`, which must agree.
import assert from 'node:assert/strict'
import { getServers, setServers } from 'node:dns'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Ledger } from '../../src/allowance/ledger'
import type { Meter } from '../../src/mail/meters'
import { parseConfig } from '../../src/process/config'
import { defaultsOf } from '../../src/allowance/defaults'
import type { Explanation } from '../../src/explain/explain'
import { tenantctl } from '../cli/cli'
import {
  scratchDir,
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type Reply,
  type TestHaraka,
  type TestTenant,
} from '../support'
import { TestDns } from '../support/dns'
import { answered } from '../support/replies'
import { FORWARDED, SEALER, ZONES } from './table/forwards'
import { LOCAL_PARTS } from './table/local-parts'
import { letter, NEIGHBOUR, type Expected, type Row } from './table/row'
import { SENDERS } from './table/senders'

/** Records the final class of a transaction, delivered or not. */
const witness = `
const fs = require('node:fs')
exports.register = function () {
  this.register_hook('reset_transaction', 'write', 100)
}
exports.write = (next, { transaction }) => {
  const note = transaction?.notes.unregistered_domain
  if (note) fs.appendFileSync(process.env.HARAKA + '/classes.jsonl', JSON.stringify(note) + '\\n')
  next()
}`

const METERS: readonly Meter[] = ['unregistered', 'forwarded', 'null']

let relay: TestRelay
let dns: TestDns
let servers: string[]
/** As shipped, with one trusted sealer. */
let usual: TestHaraka
/** Refuses all that it can: foreign senders, another From, at RCPT; but not the forwards of a restricted tenant. */
let strict: TestHaraka
before(async () => {
  servers = getServers()
  dns = await TestDns.start(ZONES)
  const redis = await startRedis()
  const start = (options: Parameters<typeof startHaraka>[0]): Promise<TestHaraka> =>
    startHaraka({
      redis,
      plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'witness', 'test_sink'],
      localPlugins: {
        ask_test_dns: `require('node:dns').setServers(['${dns.address}'])`,
        witness,
      },
      ...options,
    })
  ;[usual, strict] = await Promise.all([
    start({ settings: { forwarded: { enabled: true, arc_sealers: SEALER } } }),
    start({
      version: '3.1.7',
      settings: {
        main: { refuse_at: 'rcpt' },
        forwarded: { enabled: true, arc_sealers: SEALER, when_restricted: 'accept' },
        foreign: { action: 'refuse' },
        header_from: { check: 'charge' },
      },
    }),
  ])
  relay = new TestRelay(redis, [usual, strict])
  await relay.tenant(NEIGHBOUR.id, NEIGHBOUR)
})
after(async () => {
  await relay?.stop()
  await dns?.stop()
  setServers(servers)
})

describe('the class of a sender', () => SENDERS.forEach(test))
describe('a sender with a local part that names others', () => LOCAL_PARTS.forEach(test))
describe('mail that may be a forward', () => FORWARDED.forEach(test))

let tenants = 0
const messages = scratchDir('messages')

interface Envelope {
  readonly from: string
  readonly to: readonly string[]
  readonly text: string
}

function test(row: Row): void {
  it(`${row.what}: ${row.expected.class}, ${decisionOf(row.expected)}`, async () => {
    const on = row.on === 'strict' ? strict : usual
    const tenant = await tenantOf(row, on)
    const own = tenant.domain
    const mail: Envelope = {
      from: fill(row.from, own),
      to: (row.to ?? ['someone@far.example']).map((each) => fill(each, own)),
      text: await textOf(row, own),
    }
    const explained = await explain(on, tenant, mail)
    const expected = expectedOf(row, mail.to.length)
    assert.deepEqual(await sent(on, tenant, mail, expected.counts), expected)
    assert.deepEqual(explained, explanationOf(row, expected, own, explained))
  })
}

function decisionOf({ mail, rcpts = [], end }: Expected): string {
  const refusal = [mail, ...rcpts, end].find((said) => said !== undefined && said !== 'ok')
  return refusal?.trim() ?? 'passes'
}

function fill(address: string, own: string): string {
  return address.replaceAll('OWN', own).replaceAll('UPPER', own.toUpperCase())
}

async function textOf(row: Row, own: string): Promise<string> {
  if (row.message) return row.message(own)
  const { class: senderClass } = row.expected
  return letter(own, senderClass === 'registered' ? { From: `Ann <ann@${own}>` } : {})
}

/** A tenant for this row alone, with the row's settings, known to every process. */
async function tenantOf(row: Row, on: TestHaraka): Promise<TestTenant> {
  const id = `t${++tenants}`
  const tenant = await relay.tenant(id, { limits: '100/1h', ...row.tenant, connectors: {} })
  for (const meter of ['unregistered', 'forwarded'] as const)
    await use(id, meter, row.before?.[meter])
  const place = async (): Promise<void> => {
    if (!row.restricted) return
    await relay.restrictions.place(id, { scope: row.restricted, by: 'test', reason: 'test' })
  }
  // Before any process has the tenant in its cache. A probe of a tenant whose mail is all refused would be refused too.
  if (row.restricted !== 'all') await place()
  await relay.registry.connectors.add(
    id,
    'mx',
    { ip: [`${tenant.session.localAddress}/32`] },
    'test',
  )
  await relay.attributed(tenant.session, `${id}/mx`)
  if (row.restricted === 'all') await place()
  if (row.restricted === 'all' && row.tenant?.mode !== 'off') {
    const reply = row.expected.mail ?? ''
    await answered(on, 1, { session: tenant.session, from: `a@${tenant.domain}`, reply })
  }
  return tenant
}

async function use(
  tenant: string,
  meter: 'unregistered' | 'forwarded',
  recipients = 0,
): Promise<void> {
  if (recipients === 0) return
  const ordinals = Array.from({ length: recipients }, (_, at) => at + 1)
  const { answer } = await new Ledger(relay.store, 5000).chargeMessage(
    {
      ...{ tenant, meter, transaction: `before-${meter}`, ordinals, signatures: [] },
      ...{ domain: 'before.example', connector: '', ip: '' },
    },
    defaultsOf(parseConfig({}, '.').config),
  )
  assert.equal(answer, meter === 'forwarded' ? 'FORWARDED' : 'CHARGED')
}

type Counts = Record<Meter, number>

/** The replies to a message, and its traces. */
interface Seen extends Pick<Expected, 'class' | 'proof' | 'mail' | 'rcpts' | 'end'> {
  readonly counts: Counts
  readonly held: number
  readonly isRestricted: boolean
}

/** @param counts what to wait for: refunds come a moment after the session. */
async function sent(
  on: TestHaraka,
  tenant: TestTenant,
  { from, to, text }: Envelope,
  counts: Counts,
): Promise<Seen> {
  const { id } = tenant
  const earlier = classesOf(on, id).length
  const client = await tenant.connect({ on })
  const said: { mail: string; rcpts?: string[]; end?: string } = {
    mail: consent(
      await client.mail(from, /[^ -~]/.test(from) ? 'SMTPUTF8' : ''),
      /^250 sender <.*> OK\r\n$/,
    ),
  }
  if (said.mail === 'ok') {
    const rcpts: string[] = []
    for (const each of to) {
      rcpts.push(consent(await client.rcpt(each), /^250 recipient <.*> OK\r\n$/))
    }
    said.rcpts = rcpts
    if (rcpts.includes('ok')) {
      assert.equal((await client.data()).code, 354)
      said.end = consent(await client.message(text), /^250 Message Queued \(.*\)\r\n$/)
    }
  }
  await client.quit()
  const note = await waitFor(() => classesOf(on, id)[earlier], {
    what: 'the end of the transaction',
  })
  const settled = async (): Promise<boolean> =>
    isDeepStrictEqual(await countsOf(id), counts) && (await tenant.held()) === 0
  await waitFor(settled).catch(() => {})
  const proof = proofOf(on, id)
  return {
    ...{ class: note.class as Seen['class'], ...(proof !== undefined && { proof }), ...said },
    counts: await countsOf(id),
    held: await tenant.held(),
    isRestricted: (await tenant.restriction()) !== undefined,
  }
}

/** Haraka’s acceptance is `ok`; every other reply is kept byte for byte. */
function consent({ raw }: Reply, pattern: RegExp): string {
  return pattern.test(raw) ? 'ok' : raw
}

function classesOf(host: TestHaraka, tenant: string): { tenant: string; class: string | null }[] {
  const file = path.join(host.dir, 'classes.jsonl')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const all = lines.map((line) => JSON.parse(line) as ReturnType<typeof classesOf>[number])
  // The probes that made the tenant known are from its own domain to its own domain.
  return all.filter((each) => each.tenant === tenant)
}

function proofOf(host: TestHaraka, tenant: string): string | undefined {
  const lines = host.log
    .split('\n')
    .filter((line) => line.includes('] charged ') && line.includes(`tenant=${tenant} `))
  const found = /\bproof=(?:"([^"]*)"|(\S+))/.exec(lines.at(-1) ?? '')
  return found?.[1] ?? found?.[2]
}

async function countsOf(tenant: string): Promise<Counts> {
  const used = await Promise.all(
    METERS.map(
      async (meter) => [meter, (await relay.windows(tenant, meter))[0]?.used ?? 0] as const,
    ),
  )
  return Object.fromEntries(used) as Counts
}

function expectedOf({ expected, restricted, before }: Row, recipients: number): Seen {
  const { class: senderClass, proof, mail = 'ok', trips } = expected
  const { rcpts = Array<string>(recipients).fill('ok') } = expected
  const {
    unregistered = 0,
    forwarded = 0,
    null: nulls = 0,
  } = expected.counts ?? { ...before, null: 0 }
  return {
    ...{ class: senderClass, ...(proof !== undefined && { proof }), mail },
    ...(mail === 'ok' && { rcpts }),
    ...(mail === 'ok' && rcpts.includes('ok') && { end: expected.end ?? 'ok' }),
    counts: { unregistered, forwarded, null: nulls },
    ...{ held: 0, isRestricted: trips ?? restricted !== undefined },
  }
}

interface Explained extends Pick<Explanation, 'class' | 'domain' | 'verdict' | 'reply'> {
  readonly proof: string | undefined
}

/** What `explain` should print, given what happened. */
function explanationOf(
  { expected, before }: Row,
  { counts }: Seen,
  own: string,
  { domain, proof }: Explained,
): Explained {
  const { mail, rcpts: [rcpt] = [], end } = expected
  const refusal = [mail, rcpt, end].find((said) => said !== undefined && said !== 'ok')
  const isCounted =
    counts.unregistered + counts.forwarded + counts.null >
    (before?.unregistered ?? 0) + (before?.forwarded ?? 0)
  const refused = refusal?.startsWith('5') ? 'refuse' : 'tempfail'
  return {
    class: expected.class,
    domain: expected.domain === undefined ? domain : expected.domain && fill(expected.domain, own),
    verdict: refusal === undefined ? (isCounted ? 'charge' : 'pass') : refused,
    reply: refusal?.trim() ?? null,
    // The log has no proof of a message that is not accepted.
    proof: end === undefined ? expected.proof : proof,
    ...expected.explained,
  }
}

/** What `explain` prints about the first recipient of a message, and its proof. */
async function explain(
  on: TestHaraka,
  { session }: TestTenant,
  mail: Envelope,
): Promise<Explained> {
  const file = path.join(messages, 'message.eml')
  writeFileSync(file, mail.text)
  const args = [
    ...['--config', on.configDir, 'explain', '--from', mail.from, '--to', mail.to[0]!],
    ...['--ip', session.localAddress!, '--message', file, '--dns', dns.address],
  ]
  const { out, err, status } = await tenantctl([...args, '--json'])
  assert.equal(status, 0, err)
  const { class: senderClass, domain, verdict, reply } = JSON.parse(out) as Explanation
  const { out: told } = await tenantctl(args)
  return { class: senderClass, domain, verdict, reply, proof: proofIn(told) }
}

/** The proof in the words of the log. */
function proofIn(told: string): string | undefined {
  if (/no proof is looked for/.test(told)) return undefined
  if (/the signature has already proven five recipients/.test(told))
    return 'none: signature used up'
  const signed = /a proven forward, signed by (\S+)$/m.exec(told)?.[1]
  if (signed !== undefined) return `dkim ${signed}`
  const sealed = /a proven forward, vouched for by the ARC seal of (\S+)$/m.exec(told)?.[1]
  if (sealed !== undefined) return `arc ${sealed}`
  const none = /no proof that it is a forward: (.*)$/m.exec(told)?.[1]
  if (none !== undefined) return `none: ${none}`
  return /counted as unregistered mail$/m.test(told) ? 'none: From header' : undefined
}
