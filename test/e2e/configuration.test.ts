import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import {
  newAddress,
  scratchDir,
  startHaraka,
  startRedis,
  startRelay,
  tenantctl,
  TestRelay,
  waitFor,
  type TestHaraka,
} from '../support'
import { REPLY } from '../support/replies'

const UNREGISTERED = 'someone@elsewhere.example'
const RECIPIENT = 'someone@far.example'
const INI = 'unregistered-domain.ini'
const TENANTS = 'unregistered-domain.tenants.yaml'
const IN_EFFECT = /\[unregistered-domain\] .*: in effect(?!,)/g
const PARTLY = /in effect, except for what the lines above name/g

// Haraka waits 5 s before it reads a changed file, so the tests run in parallel.
describe('Configuration', { concurrency: 3 }, () => {
  test('a changed ini file takes effect in every process, and of a broken one the valid keys', async (t) => {
    const relay = await startRelay({ nodes: 2 })
    t.after(() => relay.stop())
    const { haraka } = relay
    const contoso = await relay.tenant('contoso')
    const fabrikam = await relay.tenant('fabrikam')
    const stranger = { localAddress: newAddress() }

    await reload(haraka, IN_EFFECT, () =>
      haraka.writeSettings({
        main: { refuse_at: 'rcpt' },
        allowance: { limits: '2/1h' },
        null: { limits: '1/1h' },
        attribution: { unknown: 'deny' },
      }),
    )
    // By one process of three, in the background.
    await haraka.waitForLog(/lowered limits: no tenant is past them/)
    const three = [1, 2, 3].map((number) => `${number}@far.example`)
    const poured = await contoso.send({ from: UNREGISTERED, to: three })
    assert.deepEqual(poured.accepted.length, 2)
    assert.equal(poured.last.raw, REPLY.blocked)
    assert.deepEqual((await contoso.restriction())?.trigger?.limit, 2)
    // refuse_at=rcpt
    const restricted = await contoso.send({
      from: UNREGISTERED,
      to: [RECIPIENT, 'a@contoso.example'],
    })
    assert.equal(restricted.mail.code, 250)
    assert.equal(restricted.rcpts[0]?.raw, REPLY.blocked)
    assert.deepEqual(restricted.accepted, ['a@contoso.example'])
    // [null] limits and unknown=deny, in both workers.
    const null1 = await contoso.send({ from: '', to: RECIPIENT })
    const null2 = await contoso.send({ from: '', to: RECIPIENT })
    assert.deepEqual([null1.delivered, null2.last.raw], [true, REPLY.nullSenderFull])
    for (let worker = 1; worker <= 2; worker++) {
      const sent = await haraka.send({ from: UNREGISTERED, to: RECIPIENT, session: stranger })
      assert.equal(sent.last.raw, REPLY.noTenant)
    }

    const from = haraka.log.length
    await reload(haraka, PARTLY, () =>
      haraka.writeSettings({
        main: { mode: 'enforced', refuse_at: 'data', moed: 'off' },
        allowance: { limits: '300 per hour', warn_at: '50, 200' },
        null: { limits: '5/1h, 6/60m' },
        attribution: { auth: 'perhaps', unknown: 'drop' },
        redis: { port: 123456, prefix: '{ud}', password: '0071234', command_timeout: 1 },
        outage: { unregistered: 'pass' },
        tenants: { apply: 'yes' },
        tenant: { file: 'x.yaml' },
      }),
    )
    const log = haraka.log.slice(from)
    for (const error of [
      '[main] mode: "enforced" is not one of enforce, monitor, off',
      '[main] refuse_at: "data" is not one of mail, rcpt',
      '[main] moed: no such key; there are mode, override, refuse_at',
      '[allowance] limits: "300 per hour" is not a limit',
      '[allowance] warn_at: "200" is not a whole number from 1 to 100',
      '[null] limits: two limits for 1h in "5/1h, 6/60m"',
      '[attribution] auth: "perhaps" is not one of true, false',
      '[attribution] unknown: "drop" is not one of ignore, deny',
      '[redis] port: "123456" is not a whole number from 1 to 65535',
      '[redis] prefix: "{ud}" must hold no space',
      '[redis] password: a password of digits only is read as a number',
      '[redis] command_timeout: "1" is not a whole number from 10 to 60000',
      '[outage] unregistered: "pass" is not one of tempfail, accept',
      '[tenants] apply: "yes" is not one of true, false',
      '[tenant]: no such section; there are main,',
    ]) {
      const lines = log
        .split('\n')
        .filter((line) => line.replace(/ini:\d+: /, 'ini: ').includes(`${INI}: ${error}`))
      assert.equal(lines.length, 3, `${error}\n${log}`)
      for (const line of lines) assert.match(line, /\[ERROR\].*ini:\d+: .*; until you correct it, /)
    }
    assert.equal(haraka.log.match(/lowered limits/g)?.length, 1)
    // Each key as before.
    const again = await fabrikam.send({ from: UNREGISTERED, to: three })
    assert.deepEqual([again.accepted.length, again.last.raw], [2, REPLY.blocked])
    assert.equal((await contoso.send({ from: UNREGISTERED, to: RECIPIENT })).mail.code, 250)
  })

  test('[main] override works in a broken file, and an empty or missing file does not release it', async (t) => {
    const relay = await startRelay({ settings: { main: { refuse_at: 'rcpt' } } })
    t.after(() => relay.stop())
    const { haraka } = relay
    const contoso = await relay.tenant('contoso')
    await relay.restrictions.place('contoso', { scope: 'unregistered', reason: 'x', by: 'test' })
    await haraka.waitForLog(/\bblocked\b/)
    const passes = async () => (await contoso.send({ from: UNREGISTERED, to: RECIPIENT })).delivered
    assert.equal(await passes(), false)
    const sound = readFileSync(path.join(haraka.configDir, INI), 'utf8')

    const broken = `refuse at mail\n${sound}\n[allowance\nlimits=many\n[main]\noverride=off\nmode\n`
    await reload(haraka, PARTLY, () => haraka.writeConfig(INI, broken), 1)
    assert.match(haraka.log, /\[ERROR\].*ini:1: the line has no "="/)
    assert.match(haraka.log, /\[ERROR\].*\[main\] mode: the line has no "=".*mode=enforce stays/)
    assert.match(haraka.log, /\[WARN\].*\[main\] begins again, as on line 2/)
    assert.equal(await passes(), true)

    for (const [change, line] of [
      [
        () => haraka.writeConfig(INI, ''),
        /\[ERROR\].*ini: sets no key; the previous configuration/g,
      ],
      [() => haraka.writeConfig(INI, 'override'), /\[ERROR\].*ini: sets no key; the previous/g],
      [() => rmSync(path.join(haraka.configDir, INI)), /\[ERROR\].*ini: is gone; the previous/g],
      [
        () => mkdirSync(path.join(haraka.configDir, INI)),
        /\[ERROR\].*ini is no regular file; the prev/g,
      ],
    ] as const) {
      await reload(haraka, line, change, 1)
      assert.equal(await passes(), true)
    }

    // Back again, and the same change twice: unused keys are logged each time.
    rmdirSync(path.join(haraka.configDir, INI))
    const other = { redis: { db: 3 }, tenants: { apply: false, file: 'x.yaml' } }
    for (const refuse_at of ['mail', 'rcpt']) {
      const from = haraka.log.length
      await reload(
        haraka,
        IN_EFFECT,
        () => haraka.writeSettings({ ...other, main: { refuse_at } }),
        1,
      )
      const warned = haraka.log
        .slice(from)
        .match(/\[WARN\].*has changed: restart Haraka to use it/g)
      assert.deepEqual(
        warned?.map((text) => /\[[a-z]+\](?: [a-z]+)?(?= has)/.exec(text)?.[0]),
        ['[redis]', '[tenants] file', '[tenants] apply'],
      )
      assert.equal(await passes(), false)
    }
  })

  test('started with a broken ini file: broken keys get their defaults', async (t) => {
    const settings = {
      main: { refuse_at: 'rcpt', mode: 'on' },
      allowance: { limits: 'many' },
    }
    const relay = await startRelay({ settings })
    t.after(() => relay.stop())
    const { haraka } = relay
    const contoso = await relay.tenant('contoso')
    for (const error of [
      '[main] mode: "on" is not one of enforce, monitor, off',
      '[allowance] limits: "many" is not a limit',
    ]) {
      const line = haraka.log.split('\n').find((each) => each.includes(`: ${error}`))
      assert.match(
        line ?? '',
        /\[CRIT\].*ini:\d+: .*; until you correct it, the default is in effect: /,
      )
    }
    assert.ok((await contoso.send({ from: UNREGISTERED, to: RECIPIENT })).delivered)
    await haraka.waitForLog(/charged.*1\/300/)
    await relay.restrictions.place('contoso', { scope: 'unregistered', reason: 'x', by: 'test' })
    await haraka.waitForLog(/\bblocked\b/)
    const sent = await contoso.send({ from: UNREGISTERED, to: RECIPIENT })
    assert.deepEqual([sent.mail.code, sent.last.raw], [250, REPLY.blocked])
  })

  test('started with a broken [redis]: relaying sessions get 451 until it is fixed', async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const haraka = await startHaraka({
      redis,
      settings: { redis: { prefix: 'ud {x}' } },
      ready: false,
      relayFrom: ['127.77.0.0/16'],
      plugins: ['relay', 'rcpt_to.in_host_list', 'unregistered-domain', 'test_sink'],
      config: { host_list: 'local.example\n' },
    })
    t.after(() => haraka.stop())
    assert.match(haraka.log, /\[CRIT\].*\[redis\] prefix: "ud {x}" must hold no space/)
    assert.match(haraka.log, /\[CRIT\].*\[redis\] is wrong, so Redis is not asked/)
    const relayed = { from: UNREGISTERED, to: RECIPIENT, session: { localAddress: newAddress() } }
    assert.equal((await haraka.send(relayed)).mail.raw, REPLY.undecidable)
    const local = { ...relayed, to: 'me@local.example', session: { localAddress: '127.88.0.1' } }
    assert.equal((await haraka.send(local)).delivered, true)
    const clients = String(await redis.client().call('CLIENT', 'LIST'))
    assert.doesNotMatch(clients, /name=unregistered-domain/)

    await reload(
      haraka,
      /\[redis\] has changed: restart Haraka/g,
      () => haraka.writeSettings({}),
      1,
    )
    await haraka.restart({ ready: true })
    const contoso = await new TestRelay(redis, [haraka]).tenant('contoso')
    assert.equal((await contoso.send({ from: UNREGISTERED, to: RECIPIENT })).delivered, true)
  })

  test('a tenants file is applied at the start and when it changes, and removes nothing', async (t) => {
    const [contosoMx, fabrikamMx] = [newAddress(), newAddress()]
    const text = tenantsFile({ contosoMx, fabrikamMx })
    const relay = await startRelay({ nodes: 2, config: { [TENANTS]: text } })
    t.after(() => relay.stop())
    const { haraka, registry } = relay
    const contoso = { localAddress: contosoMx }
    const fabrikam = { localAddress: fabrikamMx }
    const refused = async (session: typeof contoso, sender: string) =>
      (await haraka.send({ from: sender, to: RECIPIENT, session })).last.raw === REPLY.blocked

    await relay.attributed(contoso, 'contoso/mx')
    await relay.attributed(fabrikam, 'fabrikam/mx')
    assert.match(haraka.log, new RegExp(`${TENANTS}: applied`))
    await relay.restrictions.place('contoso', { scope: 'unregistered', reason: 'x', by: 'test' })
    await waitFor(() => refused(contoso, 'a@new.contoso.example'))

    // Changed.
    const changed = text
      .replace('domains: [contoso.example]', 'domains: [contoso.example, new.contoso.example]')
      .replace('limits: 5/1h', 'limits: 7/1h')
      .concat('  adatum: { domains: [gmail.com] }\n')
    await reload(
      haraka,
      new RegExp(`${TENANTS}: applied`, 'g'),
      () => haraka.writeConfig(TENANTS, changed),
      1,
    )
    await waitFor(async () => !(await refused(contoso, 'a@new.contoso.example')))
    assert.equal((await registry.tenants.get('contoso'))?.limits, '7/1h')
    assert.match(haraka.log, /\[ERROR\].*tenant adatum: gmail\.com: anybody can get an address/)
    assert.equal(await registry.tenants.get('adatum'), undefined)
    const known = await everything(relay)

    // Broken in several places: its valid parts are not applied either.
    const broken = changed
      .replace('limits: 7/1h', 'limits: 8/1h')
      .replace('domains: [fabrikam.example]', 'domains: [fabrikam.example, co.uk, "a b"]')
    const from = haraka.log.length
    await reload(
      haraka,
      new RegExp(`${TENANTS}: not applied`, 'g'),
      () => haraka.writeConfig(TENANTS, broken),
      1,
    )
    const log = haraka.log.slice(from)
    const { line, column } = placeOf(broken, 'co.uk')
    assert.match(log, new RegExp(`\\[ERROR\\].*${TENANTS}:${line}:${column}: .*co\\.uk`))
    assert.match(
      log,
      new RegExp(`\\[ERROR\\].*${TENANTS}:${line}:${placeOf(broken, '"a b"').column}: .*a b`),
    )
    assert.deepEqual(await everything(relay), known)

    // Emptied.
    await reload(
      haraka,
      new RegExp(`Reloaded file: .*${TENANTS}`, 'g'),
      () => haraka.writeConfig(TENANTS, ''),
      1,
    )
    assert.deepEqual(await everything(relay), known)
    assert.equal(
      (await haraka.send({ from: 'a@contoso.example', to: RECIPIENT, session: contoso })).delivered,
      true,
    )
  })

  test('a tenants file is applied as soon as Redis is there', async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    await redis.kill()
    const [contosoMx, fabrikamMx] = [newAddress(), newAddress()]
    const config = { [TENANTS]: tenantsFile({ contosoMx, fabrikamMx }) }
    const haraka = await startHaraka({ redis, config, ready: false })
    t.after(() => haraka.stop())
    await redis.restart()
    await haraka.attributed({ localAddress: contosoMx }, 'contoso/mx', 'a@contoso.example')
  })

  test('only apply --prune removes, and never a restricted tenant', async (t) => {
    const relay = await startRelay()
    t.after(() => relay.stop())
    const { haraka } = relay
    const [contosoMx, fabrikamMx] = [newAddress(), newAddress()]
    const file = path.join(scratchDir('tenants'), 'tenants.yaml')
    const apply = (text: string, ...options: string[]) => {
      writeFileSync(file, text)
      return tenantctl(['--config', haraka.configDir, 'apply', file, ...options])
    }
    const full = tenantsFile({ contosoMx, fabrikamMx })
    assert.equal((await apply(full)).status, 0)
    await relay.attributed({ localAddress: fabrikamMx }, 'fabrikam/mx')
    await relay.restrictions.place('contoso', { scope: 'unregistered', reason: 'x', by: 'test' })
    const known = await everything(relay)

    // Empty: nothing, not even with --prune.
    assert.equal((await apply('', '--prune')).status, 0)
    assert.deepEqual(await everything(relay), known)
    // Without --prune missing tenants are only listed.
    const none = 'id: site-a\ntenants: {}\n'
    const kept = await apply(none)
    assert.equal(kept.status, 0, kept.stderr)
    assert.match(kept.stdout, /not in the file, kept: tenant fabrikam/)
    assert.deepEqual(await everything(relay), known)

    const pruned = await apply(none, '--prune')
    assert.equal(pruned.status, 4)
    assert.match(pruned.stdout, /^removed tenant fabrikam$/m)
    assert.match(pruned.stderr, /contoso.*restrict/)
    assert.deepEqual(await everything(relay), { ...known, fabrikam: undefined })
    await relay.attributed({ localAddress: fabrikamMx }, null)
    const session = { localAddress: contosoMx }
    const sent = await haraka.send({ from: UNREGISTERED, to: RECIPIENT, session })
    assert.equal(sent.last.raw, REPLY.blocked)
  })
})

/**
 * Changes a file, and waits until this many processes have logged the line: by default the master and two workers.
 */
async function reload(
  haraka: TestHaraka,
  line: RegExp,
  change: () => void,
  processes = 3,
): Promise<void> {
  const from = haraka.log.length
  change()
  const count = () => haraka.log.slice(from).match(line)?.length ?? 0
  await waitFor(() => count() >= processes, { what: `${processes} processes log ${String(line)}` })
}

function tenantsFile({ contosoMx, fabrikamMx }: { contosoMx: string; fabrikamMx: string }): string {
  return `id: site-a
tenants:
  contoso:
    name: Contoso Ltd
    limits: 5/1h
    domains: [contoso.example]
    connectors:
      mx: { ip: [${contosoMx}/32] }
  fabrikam:
    domains: [fabrikam.example]
    connectors:
      mx: { ip: [${fabrikamMx}/32] }
`
}

/** The position of a word, counted from 1. */
function placeOf(text: string, word: string): { line: number; column: number } {
  const lines = text.split('\n')
  const at = lines.findIndex((line) => line.includes(word))
  return { line: at + 1, column: (lines[at] ?? '').indexOf(word) + 1 }
}

/** The registry of the two tenants, and their restrictions. */
async function everything({ registry, restrictions }: TestRelay) {
  const of = async (id: string) => {
    const tenant = await registry.tenants.get(id)
    if (!tenant) return undefined
    const domains = await registry.domains.list(id)
    return { tenant, domains, connectors: await registry.connectors.list(id) }
  }
  return {
    contoso: await of('contoso'),
    fabrikam: await of('fabrikam'),
    restrictions: await restrictions.list(),
  }
}
