import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Restrictions } from '../../src/allowance/restriction'
import { Recorder } from '../../src/reporting/recorder'
import { clean } from '../../src/base/safe-text'
import type { Batch } from '../../src/reporting/batch'
import { Tally, UNATTRIBUTED } from '../../src/reporting/tally'
import type { UnattributedBatch } from '../../src/reporting/unattributed-batch'
import { Store } from '../../src/store/store'
import { waitFor } from '../../scripts/services/wait-for'
import { newConsole, type Browser, type ConsoleAtHand } from '../support/console'
import { useRedis } from '../support/registry'
import { ACCEPTED } from '../support/reporting'

useRedis()

const HOSTILE = '<"><script>alert(1)</script>\u202e@lure.example>'

/** A restricted tenant, and its mail. */
async function consoleWithMail(): Promise<ConsoleAtHand> {
  const site = newConsole()
  const { store, registry } = site
  await registry.tenants.add('contoso', { name: 'Contoso Ltd' }, 'ann')
  const own = { domain: 'contoso.com', subdomains: true, shared: false }
  await registry.domains.add('contoso', [own], 'ann')
  await registry.connectors.add('contoso', 'mx', { ip: ['192.0.2.1'] }, 'ann')
  const act = { scope: 'unregistered', by: 'ann', reason: 'a test' } as const
  await new Restrictions(store).place('contoso', act)
  const tally = new Tally(() => {})
  const recorder = new Recorder(store, () => 90)
  const source = { domain: 'lure.example', connector: 'contoso/mx', ip: '192.0.2.1', user: '' }
  tally.batchOf('contoso')!.addSource(source, 'unregistered', ACCEPTED)
  // As the recording of mail keeps it.
  tally.batchOf('contoso')!.addSample(source, clean(HOSTILE), 'helo')
  tally.unattributed!.add({ ip: '198.51.100.7', user: '', certificate: '' }, ACCEPTED)
  await recorder.record('contoso', tally.take('contoso') as Batch, 'p 1')
  await recorder.recordUnattributed(tally.take(UNATTRIBUTED) as UnattributedBatch, 'p 1')
  await recorder.mailIndex.write()
  return site
}

async function search(browser: Browser, text: string): Promise<string> {
  const response = await browser.get(`/search?${new URLSearchParams({ q: text }).toString()}`)
  assert.equal(response.status, 200)
  return response.text()
}

describe('the search of the console', () => {
  it('shows to a viewer what it finds, with links to the pages of each', async () => {
    const site = await consoleWithMail()
    const viewer = site.as('viewer')
    // On a busy machine the first page comes before all names are read, and says so.
    const page = await waitFor(async () => {
      const found = await search(viewer, 'contoso')
      return found.includes('are still being read') ? undefined : found
    })
    for (const link of [
      ...['/tenants/contoso', '/incidents/contoso', '/tenants/contoso/domains'],
      ...['/tenants/contoso/connectors', '/cases/contoso%3A1'],
    ]) {
      assert.ok(page.includes(`href="${link}"`), link)
    }
    assert.match(page, /tenantctl find contoso</)
    const mail = await search(viewer, 'lure.example')
    assert.match(mail, /\/tenants\/contoso\/report\?days=9&amp;domain=lure.example"/)
    assert.match(mail, /\/tenants\/contoso\/register\?domain=lure.example"/)
    const address = await search(viewer, '192.0.2.1')
    assert.match(address, /\/tenants\/contoso\/report\?days=9&amp;ip=192.0.2.1"/)
    const report = (ip: string): Promise<string> =>
      viewer.page(`/tenants/contoso/report?days=9&ip=${ip}`)
    assert.match(await report('192.0.2.1'), /outside">lure.example/)
    assert.doesNotMatch(await report('192.0.2.9'), /outside">lure.example/)
    assert.match(await search(viewer, '198.51.100.7'), /href="\/unattributed"/)
    assert.deepEqual(site.faults, [])
  })

  it('shows a hostile Message-ID and a hostile query as text', async () => {
    const page = await search((await consoleWithMail()).as('viewer'), HOSTILE)
    assert.match(page, /<bdi class="outside">&quot;&gt;&lt;script&gt;alert\(1\)/)
    assert.doesNotMatch(page, /<script>alert|\u202e/)
  })

  it('says in a sentence that a text is too short, that nothing is found, and what cannot be', async () => {
    const empty = newConsole().as('viewer')
    assert.match(await search(empty, ' ab '), /at least 3\s+characters/)
    assert.match(await (await empty.get('/search')).text(), /at least 3\s+characters/)
    const nothing = await search(empty, 'nowhere.example')
    assert.match(nothing, /Nothing is found for <bdi class="outside">nowhere.example<\/bdi>/)
    assert.match(nothing, /nothing can be found: none came .* or all processes run an earlier/)
    const full = (await consoleWithMail()).as('viewer')
    assert.doesNotMatch(await search(full, 'nowhere.example'), /nothing can be found/)
  })

  it('finds exact names while the names of a large registry are being read, and says so', async () => {
    const { store } = await consoleWithMail()
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => (answer = resolve))
    const late = new Proxy(store.client, {
      get: (client, name) =>
        name === 'sscan'
          ? (...args: Parameters<typeof client.sscan>) => answered.then(() => client.sscan(...args))
          : (Reflect.get(client, name) as unknown),
    })
    const site = newConsole({}, { reading: new Store(late, store.keys) })
    const viewer = site.as('viewer')
    assert.match(await search(viewer, 'contoso'), /still being read\s+\(0 tenants so far\)/)
    assert.match(await search(viewer, 'contoso'), /href="\/incidents\/contoso"/)
    assert.match(await search(viewer, 'contoso ltd'), /Nothing is found/)
    answer()
    await waitFor(async () => (await search(viewer, 'contoso ltd')).includes('/incidents/contoso'))
    assert.doesNotMatch(await search(viewer, 'contoso'), /still being read/)
  })

  it('reads nothing again for a page that polls', async () => {
    const site = await consoleWithMail()
    const { client } = site.store
    const browser = site.as('viewer')
    await search(browser, 'contoso')
    const reads = async (): Promise<number> =>
      Number(/cmdstat_zrangebylex:calls=(\d+)/.exec(await client.info('commandstats'))?.[1])
    const before = await reads()
    await browser.get('/search?q=contoso', { 'hx-request': 'true' })
    assert.equal(await reads(), before)
  })

  it('writes what was looked for into no log, and not to Redis', async () => {
    const site = await consoleWithMail()
    const secret = 'my-secret-search'
    const written: string[] = []
    const outputs = [process.stdout, process.stderr] as const
    const before = outputs.map((each) => each.write.bind(each))
    for (const each of outputs) {
      each.write = (text: unknown): boolean => written.push(String(text)) > 0
    }
    try {
      await search(site.as('viewer'), secret)
      await search(site.as('admin'), `${secret}@lure.example`)
    } finally {
      outputs.forEach((each, at) => (each.write = before[at]!))
    }
    assert.ok(!written.join('').includes(secret))
    assert.deepEqual(site.faults, [])
    const keys = await site.store.client.keys('*')
    assert.ok(!keys.join('\n').includes(secret))
  })
})
