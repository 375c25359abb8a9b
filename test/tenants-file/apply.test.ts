import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Restrictions } from '../../src/allowance/restriction'
import { applyTenantsFile, type ApplyOptions, type ApplyReport } from '../../src/tenants-file/apply'
import { Registries } from '../support/registries'
import { parseTenantsFile } from '../../src/tenants-file/parse'
import { assertConsistent, newSite, useRedis, type Site } from '../support/registry'
import { attach, detach } from '../../src/operations/managed'
import { removeTenant } from '../../src/registry/tenant-removal'

useRedis()

const plain = (domain: string) => ({ domain, subdomains: false, shared: false })

const FULL = `
id: site-a
tenants:
  contoso:
    name: Contoso Ltd
    mode: monitor
    limits: 300/1h
    domains:
      - contoso.com
      - { name: contoso.net, subdomains: true }
      - { name: printer.local, shared: true }
    connectors:
      hq: { ip: [192.0.2.0/24], auth: ['*@contoso.com'] }
  fabrikam:
    domains: [fabrikam.com]
`

function apply({ registry }: Site, text: string, options?: ApplyOptions): Promise<ApplyReport> {
  return applyTenantsFile(registry.store, parseTenantsFile(text, 't.yaml'), options)
}

/** The texts, without what is empty. */
function told(report: ApplyReport): Record<string, unknown> {
  const others = ['changes', 'counts', 'removal']
  return Object.fromEntries(
    Object.entries(report).filter(
      ([name, value]) =>
        !others.includes(name) && (Array.isArray(value) ? value.length > 0 : value !== 0),
    ),
  )
}

/** All that is registered, without times and tokens. */
async function stateOf({ registry, store }: Site) {
  const tenants = await Promise.all(
    (await registry.tenants.list()).map(async ({ createdAt: _, ...tenant }) => ({
      ...tenant,
      domains: (await registry.domains.list(tenant.id)).map(({ addedAt: _, ...domain }) => domain),
      connectors: (await registry.connectors.list(tenant.id)).map(
        ({ addedAt: _, changedAt: __, ...each }) => each,
      ),
    })),
  )
  return { tenants, owners: await store.client.hgetall(store.keys.ownerNames) }
}

/** Applies dry first, and checks that it told the truth and wrote nothing. */
async function applyTwice(
  site: Site,
  text: string,
  options: ApplyOptions = {},
): Promise<Record<string, unknown>> {
  const before = await stateOf(site)
  const dry = await apply(site, text, { ...options, dryRun: true })
  assert.deepEqual(await stateOf(site), before)
  const report = await apply(site, text, options)
  assert.deepEqual(dry, report)
  await assertConsistent(site.store)
  return told(report)
}

const FOR_LONG = '900/1h until 2030-01-01T00:00:00Z'

describe('applying a tenants file', () => {
  it('adds what is new, once', async () => {
    const site = newSite()
    assert.deepEqual(await applyTwice(site, FULL), {
      added: [
        'tenant contoso',
        'domain contoso.com of contoso',
        'domain contoso.net of contoso',
        'domain printer.local of contoso',
        'connector contoso/hq',
        'tenant fabrikam',
        'domain fabrikam.com of fabrikam',
      ],
    })
    const state = await stateOf(site)
    const from = { addedBy: 'file:site-a' }
    assert.deepEqual(state.tenants[0], {
      id: 'contoso',
      name: 'Contoso Ltd',
      mode: 'monitor',
      limits: '300/1h',
      nullLimits: undefined,
      forwardedLimits: undefined,
      temporaryLimits: undefined,
      temporaryNullLimits: undefined,
      temporaryForwardedLimits: undefined,
      contact: undefined,
      source: 'file:site-a',
      domains: [
        { domain: 'contoso.com', subdomains: false, shared: false, ...from },
        { domain: 'contoso.net', subdomains: true, shared: false, ...from },
        { domain: 'printer.local', subdomains: false, shared: true, ...from },
      ],
      connectors: [
        {
          tenant: 'contoso',
          name: 'hq',
          ip: ['192.0.2.0/24'],
          cert: [],
          certSha256: [],
          auth: ['*@contoso.com'],
          enabled: true,
          ...from,
        },
      ],
    })
    const changes = await site.changes()
    assert.deepEqual(await applyTwice(site, FULL), { unchanged: 7 })
    assert.deepEqual(await changes.read(), [])
    assert.deepEqual(await stateOf(site), state)
  })

  it('updates in place, takes over, and leaves what it does not mention', async () => {
    const site = newSite()
    const { registry } = site
    await registry.tenants.add(
      'contoso',
      { name: 'Old', limits: '1/1h', nullLimits: '5/1h', temporaryLimits: FOR_LONG },
      'root',
    )
    await registry.domains.add(
      'contoso',
      [plain('contoso.com'), plain('contoso.net'), plain('by-hand.example')],
      'root',
    )
    await registry.connectors.add(
      'contoso',
      'hq',
      { ip: ['192.0.2.1'], cert: ['mail.contoso.com'] },
      'root',
    )
    await registry.connectors.add('contoso', 'by-hand', { ip: ['192.0.2.2'] }, 'root')
    await registry.connectors.setEnabled('contoso', 'hq', false)
    assert.deepEqual(await applyTwice(site, FULL), {
      added: [
        'domain printer.local of contoso',
        'tenant fabrikam',
        'domain fabrikam.com of fabrikam',
      ],
      updated: [
        'tenant contoso',
        'domain contoso.com of contoso',
        'domain contoso.net of contoso',
        'connector contoso/hq',
      ],
    })
    const [contoso] = (await stateOf(site)).tenants
    assert.deepEqual(
      [contoso?.name, contoso?.limits, contoso?.nullLimits, contoso?.temporaryLimits],
      ['Contoso Ltd', '300/1h', '5/1h', FOR_LONG],
    )
    assert.equal(contoso?.source, 'file:site-a')
    assert.deepEqual(
      contoso?.domains.map(({ domain, subdomains, addedBy }) => [domain, subdomains, addedBy]),
      [
        ['by-hand.example', false, 'root'],
        ['contoso.com', false, 'file:site-a'],
        ['contoso.net', true, 'file:site-a'],
        ['printer.local', false, 'file:site-a'],
      ],
    )
    const [byHand, hq] = contoso?.connectors ?? []
    assert.equal(byHand?.addedBy, 'root')
    assert.deepEqual(
      [hq?.ip, hq?.cert, hq?.auth, hq?.enabled, hq?.addedBy],
      [['192.0.2.0/24'], ['mail.contoso.com'], ['*@contoso.com'], false, 'file:site-a'],
    )
    await apply(
      site,
      FULL.replace('auth:', 'enabled: true, auth:').replace('limits: 300/1h', 'limits: default'),
    )
    assert.equal((await registry.connectors.get('contoso', 'hq'))?.enabled, true)
    assert.equal((await registry.tenants.get('contoso'))?.limits, undefined)
  })

  it('names what the file no longer holds, and removes it only when told to', async () => {
    const site = newSite()
    await apply(site, FULL)
    await apply(site, 'id: other\ntenants: { tailspin: { domains: [tailspin.com] } }')
    await site.registry.domains.add('contoso', [plain('by-hand.example')], 'root')
    const less = `
id: site-a
tenants:
  contoso:
    domains: [contoso.com]
    connectors: { main: { ip: [198.51.100.1] } }
`
    const left = [
      'domain contoso.net of contoso',
      'domain printer.local of contoso',
      'connector contoso/hq',
      'tenant fabrikam',
    ].sort()
    const kept = await applyTwice(site, less)
    assert.deepEqual(kept['added'], ['connector contoso/main'])
    assert.deepEqual((kept['left'] as string[]).sort(), left)
    assert.equal((await site.registry.domains.list('contoso')).length, 4)

    const pruned = await applyTwice(site, less, { prune: true })
    assert.deepEqual((pruned['removed'] as string[]).sort(), left)
    assert.equal(pruned['left'], undefined)
    const { tenants } = await stateOf(site)
    assert.deepEqual(
      tenants.map(({ id, domains, connectors }) => [id, domains.length, connectors.length]),
      [
        ['contoso', 2, 1],
        ['tailspin', 1, 0],
      ],
    )
    assert.deepEqual(await applyTwice(site, less, { prune: true }), { unchanged: 3 })
  })

  it('names and prunes the kinds of identities that a connector lost', async () => {
    const site = newSite()
    await apply(site, FULL)
    const less = FULL.replace(", auth: ['*@contoso.com']", '')
    assert.deepEqual((await applyTwice(site, less))['left'], [
      'auth *@contoso.com of connector contoso/hq',
    ])
    assert.deepEqual((await site.registry.connectors.get('contoso', 'hq'))?.auth, ['*@contoso.com'])
    const pruned = await applyTwice(site, less, { prune: true })
    assert.deepEqual(pruned['removed'], ['auth *@contoso.com of connector contoso/hq'])
    assert.deepEqual((await site.registry.connectors.get('contoso', 'hq'))?.auth, [])
    // What the file does mention is replaced at once.
    await applyTwice(site, FULL.replace('192.0.2.0/24', '198.51.100.1'))
    assert.deepEqual((await site.registry.connectors.get('contoso', 'hq'))?.ip, ['198.51.100.1/32'])
  })

  it('removes nothing for an empty file', async () => {
    const site = newSite()
    await apply(site, FULL)
    assert.deepEqual(await applyTwice(site, '# nothing\n', { prune: true }), {})
    assert.deepEqual(await applyTwice(site, 'id: site-a\ntenants: {}\n'), {
      left: ['tenant contoso', 'tenant fabrikam'],
    })
    assert.equal((await site.registry.tenants.list()).length, 2)
    assert.deepEqual(await applyTwice(site, 'id: site-a\ntenants: {}\n', { prune: true }), {
      removed: ['tenant contoso', 'tenant fabrikam'],
    })
    assert.deepEqual(await site.registry.tenants.list(), [])
  })

  it('prunes a connector whose tenant Redis has lost', async () => {
    const site = newSite()
    await apply(site, FULL)
    const { client, keys } = site.store
    await client.del(keys.tenant('contoso'))
    await client.srem(keys.tenants, 'contoso')
    const report = await applyTwice(site, 'id: site-a\ntenants: {}\n', { prune: true })
    assert.ok((report['removed'] as string[]).includes('connector contoso/hq'))
    assert.equal(await site.registry.connectors.get('contoso', 'hq'), undefined)
  })

  it('never removes a restricted tenant', async () => {
    const site = newSite()
    await apply(site, FULL)
    await new Restrictions(site.store).place('fabrikam', {
      scope: 'unregistered',
      by: 'root',
      reason: 'test',
    })
    const report = await applyTwice(site, 'id: site-a\ntenants: {}\n', { prune: true })
    assert.deepEqual(report['removed'], ['tenant contoso'])
    assert.match((report['refused'] as string[])[0]!, /tenant fabrikam is restricted/)
    assert.equal((await site.registry.domains.list('fabrikam')).length, 1)
  })

  it('is all or nothing for each tenant, with the line of each conflict', async () => {
    const site = newSite()
    const { registry } = site
    await registry.tenants.add('tailspin', {}, 'root')
    await registry.domains.add('tailspin', [plain('contoso.com'), plain('x.contoso.net')], 'root')
    await registry.connectors.add('tailspin', 'hq', { auth: ['*@contoso.com'] }, 'root')
    const report = await applyTwice(site, FULL)
    assert.deepEqual(report['added'], ['tenant fabrikam', 'domain fabrikam.com of fabrikam'])
    const errors = report['errors'] as ApplyReport['errors']
    assert.deepEqual(
      errors.map(({ tenant, line, column }) => [tenant, line, column]),
      [
        ['contoso', 9, 9],
        ['contoso', 10, 17],
        ['contoso', 13, 40],
      ],
    )
    assert.match(
      errors[0]!.message,
      /^t\.yaml:9:9: tenant contoso: contoso\.com belongs to tailspin: /,
    )
    assert.match(
      errors[1]!.message,
      /contoso\.net with subdomains would cover x\.contoso\.net of tailspin/,
    )
    assert.match(
      errors[2]!.message,
      /auth \*@contoso\.com of connector contoso\/hq belongs to connector tailspin\/hq/,
    )
    assert.equal(await registry.tenants.get('contoso'), undefined)

    await registry.domains.move('contoso.com', 'fabrikam', 'root')
    await removeTenant(registry.store, 'tailspin')
    const second = await applyTwice(site, FULL)
    assert.equal((second['errors'] as unknown[]).length, 1)
    await registry.domains.remove('fabrikam', ['contoso.com'])
    assert.equal((await applyTwice(site, FULL))['errors'], undefined)
  })

  it('lets one tenant take what another of the file gives up, in any order', async () => {
    const site = newSite()
    const before = `
id: a
tenants:
  one:
    domains: [{ name: one.example, subdomains: true }, two.example]
    connectors: { hq: { ip: [192.0.2.1, 192.0.2.2] }, old: { ip: [192.0.2.3] } }
  two:
    connectors: { hq: { ip: [192.0.2.9] } }
`
    await apply(site, before)
    const after = `
id: a
tenants:
  two:
    domains: [x.one.example, { name: two.example, shared: true }]
    connectors: { hq: { ip: [192.0.2.2] } }
  one:
    domains: [one.example, { name: two.example, shared: true }]
    connectors: { hq: { ip: [192.0.2.3] }, old: { ip: [192.0.2.1] } }
`
    const report = await applyTwice(site, after)
    assert.equal(report['errors'], undefined)
    assert.deepEqual((await stateOf(site)).owners, {
      'one.example': '- one',
      'x.one.example': '- two',
    })
    assert.deepEqual((await site.registry.connectors.get('two', 'hq'))?.ip, ['192.0.2.2/32'])
  })

  it('lets a pruned thing go to another, also a renamed connector', async () => {
    const site = newSite()
    await apply(site, FULL)
    const moved = `
id: site-a
tenants:
  tailspin:
    domains: [contoso.com, fabrikam.com]
  contoso:
    connectors: { main: { ip: [192.0.2.0/24], auth: ['*@contoso.com'] } }
`
    const kept = await applyTwice(site, moved)
    assert.deepEqual((kept['errors'] as ApplyReport['errors']).map(({ tenant }) => tenant).sort(), [
      'contoso',
      'contoso',
      'tailspin',
      'tailspin',
    ])
    const pruned = await applyTwice(site, moved, { prune: true })
    assert.equal(pruned['errors'], undefined)
    assert.deepEqual((await stateOf(site)).owners, {
      'contoso.com': '- tailspin',
      'fabrikam.com': '- tailspin',
    })
    assert.deepEqual(
      (await site.registry.connectors.list()).map(({ name }) => name),
      ['main'],
    )
  })

  it('is completed by applying again, wherever it was cut short', async () => {
    const changed = FULL.replace('- contoso.com', '- { name: contoso.com, shared: true }')
      .replace('contoso.net, subdomains: true', 'contoso.net')
      .replace('192.0.2.0/24', '198.51.100.0/24')
    for (const [earlier, text] of [
      ['', FULL],
      [FULL, changed],
      [changed, FULL],
    ] as const) {
      await completes(earlier, text)
    }
  })

  async function completes(earlier: string, text: string): Promise<void> {
    const reference = newSite()
    await apply(reference, text)
    const wanted = await stateOf(reference)
    for (let commands = 1, killed = true; killed; commands++) {
      const site = newSite()
      await apply(site, earlier)
      const dying = { ...site, registry: new Registries(site.connectUntil(commands)) }
      killed = await apply(dying, text).then(
        () => false,
        () => true,
      )
      const report = await apply(site, text)
      assert.deepEqual(report.errors, [])
      assert.deepEqual(await stateOf(site), wanted)
      await assertConsistent(site.store)
    }
  }
})

describe('what changes', () => {
  it('names each value before and after', async () => {
    const site = newSite()
    await apply(site, FULL)
    const changed = FULL.replace('300/1h', '50/1h')
      .replace('contoso.net, subdomains: true', 'contoso.net')
      .replace('192.0.2.0/24', '192.0.2.1')
    const { changes, counts } = await apply(site, changed, { dryRun: true })
    assert.deepEqual(
      changes.map(({ of, what, from, to }) => [of, what, from, to]),
      [
        ['tenant contoso', 'limits', '300/1h', '50/1h'],
        ['domain contoso.net of contoso', 'subdomains', 'true', 'false'],
        ['connector contoso/hq', 'ip', '192.0.2.0/24', 'none'],
        ['connector contoso/hq', 'ip', 'none', '192.0.2.1/32'],
      ],
    )
    assert.deepEqual(counts.updated, { tenant: 1, domain: 1, connector: 1 })
  })

  it('a removal counts what a removed tenant had, and domains and connectors of those that stay', async () => {
    const site = newSite()
    await apply(site, FULL)
    const shorter = FULL.replace('      - contoso.com\n', '').replace(/ {2}fabrikam[^]*/, '')
    const { removal } = await apply(site, shorter, { dryRun: true, prune: true })
    assert.deepEqual(removal, {
      tenants: ['fabrikam'],
      domains: new Map([
        ['contoso', 1],
        ['fabrikam', 1],
      ]),
      connectors: new Map(),
    })
  })
})

describe('a tenant that is detached from its file', () => {
  it('is neither changed nor pruned, until it is attached again', async () => {
    const site = newSite()
    await apply(site, FULL)
    await detach(site.store, 'contoso')
    const before = await stateOf(site)
    const changed = FULL.replace('300/1h', '5/1h')
    assert.deepEqual(await applyTwice(site, changed), { detached: ['contoso'], unchanged: 2 })
    const without = 'id: site-a\ntenants: { fabrikam: { domains: [fabrikam.com] } }'
    assert.deepEqual(await applyTwice(site, without, { prune: true }), { unchanged: 2 })
    assert.deepEqual(await stateOf(site), before)

    await attach(site.store, 'contoso')
    const { removed } = await apply(site, without, { prune: true })
    assert.deepEqual(removed, ['tenant contoso'])
  })
})

describe('a domain of a mailbox provider', () => {
  const provider = 'id: a\ntenants: { contoso: { domains: [contoso.com, gmail.com] } }'
  const forced = provider.replace('gmail.com', '{ name: gmail.com, force: true }')

  it('refuses its tenant, with the place of the name', async () => {
    const site = newSite()
    const { errors } = await apply(site, provider)
    assert.deepEqual(
      errors.map(({ tenant, line, column }) => [tenant, line, column]),
      [['contoso', 2, 46]],
    )
    assert.match(errors[0]!.message, /gmail\.com: anybody can get an address/)
    assert.deepEqual((await stateOf(site)).tenants, [])
  })

  it('is registered with force, and stays when the file says it no more', async () => {
    const site = newSite()
    assert.deepEqual((await apply(site, forced)).errors, [])
    assert.deepEqual(await applyTwice(site, provider), { unchanged: 3 })
  })

  it('may be one that never_register_file names', async () => {
    const site = newSite()
    const neverRegister = new Set(['contoso.com'])
    const { errors } = await apply(site, forced, { neverRegister })
    assert.match(errors[0]!.message, /contoso\.com: anybody/)
  })
})
