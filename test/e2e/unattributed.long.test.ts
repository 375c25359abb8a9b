// With `unknown=ignore` mail without a tenant passes, and its source is still reported.
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import {
  CertificateAuthority,
  newAddress,
  startRelay,
  tenantctl,
  waitFor,
  type SessionOptions,
  type TestRelay,
} from '../support'
import { LONGEST_CERTIFICATE, LONGEST_USER } from '../../src/reporting/bounds'
import { entries } from '../support/events'
import { FROM } from '../support/transactions'

const TWO = ['a@far.example', 'b@far.example']
/** Longer than two flushes. */
const PATIENCE = { timeout: 30_000 }

const ca = new CertificateAuthority('CA of the clients')
const stranger = new CertificateAuthority('Unknown CA')
const server = ca.issue({ commonName: 'relay.example', names: ['relay.example'] })
const unknown = stranger.issue({ names: ['believed.by.nobody.example'] })
const label = 'x'.repeat(60)
const longest = `${[label, label, label, label].join('.')}.example`
const users = { 'Bob@Nobody.example': 'secret', [`${'u'.repeat(200)}@nobody.example`]: 'secret' }
const [bob, long] = Object.keys(users) as [string, string]

interface Row {
  readonly ip: string
  readonly user: string
  readonly certificate: string
  readonly recipients: Record<string, number>
  readonly messages: Record<string, number>
  readonly next: string | null
}

let relay: TestRelay

before(async () => {
  relay = await startRelay({
    ...{ nodes: 2, users, tls: { key: server.key, cert: server.cert, ca: ca.cert } },
    settings: { attribution: { unknown: 'ignore' } },
  })
})
after(() => relay.stop())

async function unattributed(): Promise<Row[]> {
  const args = ['--config', relay.haraka.configDir, 'unattributed', '--json']
  const { stdout, stderr } = await tenantctl(args)
  assert.equal(stderr, '')
  return (JSON.parse(stdout) as { rows: Row[] }).rows
}

it('addresses, AUTH users and certificates that relay without a tenant are reported with their amounts', async () => {
  const tenant = await relay.tenant('contoso')
  const send = async (session: SessionOptions, messages: number): Promise<void> => {
    const client = await relay.haraka.connect(session)
    for (let sent = 0; sent < messages; sent++) {
      assert.ok((await client.send({ from: FROM, to: TWO })).delivered)
    }
    await client.quit()
  }
  const anywhere = (): { localAddress: string } => ({ localAddress: newAddress() })
  const auth = (user: string): SessionOptions => ({ auth: { user, password: 'secret' } })
  const tls = ({ key, cert }: { key: string; cert: string }): SessionOptions => ({
    starttls: { key, cert },
  })
  const [plain, authed, named, strange, both] = Array.from({ length: 5 }, anywhere)
  await send(plain!, 3)
  await send(plain!, 1)
  await send({ ...authed!, ...auth(bob) }, 2)
  await send({ ...named!, ...tls(ca.issue({ names: ['mx.fabrikam.example', 'mx2.example'] })) }, 1)
  await send({ ...strange!, ...tls(unknown) }, 1)
  await send({ ...both!, ...auth(long), ...tls(ca.issue({ names: [longest] })) }, 1)
  await send(tenant.session, 1)

  const expected = [
    [plain, '', '', 4],
    [authed, 'bob@nobody.example', '', 2],
    [named, '', 'mx.fabrikam.example', 1],
    [strange, '', unknown.fingerprint256.replaceAll(':', '').toLowerCase(), 1],
    [both, long.slice(0, LONGEST_USER), longest.slice(0, LONGEST_CERTIFICATE), 1],
  ] as const
  const found = async (): Promise<Row[]> => {
    const rows = await unattributed()
    return expected.flatMap(([session]) => rows.filter(({ ip }) => ip === session!.localAddress))
  }
  const sum = (rows: readonly Row[]): number =>
    rows.reduce((all, { messages }) => all + messages['accepted']!, 0)
  await waitFor(async () => sum(await found()) === 9, PATIENCE)
  assert.deepEqual(
    (await found()).map(({ ip, user, certificate, messages, recipients }) => [
      ...[ip, user, certificate, messages['accepted'], recipients['accepted']],
    ]),
    expected.map(([session, user, certificate, messages]) => [
      ...[session!.localAddress, user, certificate, messages, 2 * messages],
    ]),
  )
  // Except for attempts before all workers had the tenant, with one recipient each.
  for (const { ip, messages, recipients } of await unattributed()) {
    if (ip === tenant.session.localAddress) assert.deepEqual(recipients, messages)
  }

  // An alert names the AUTH users, since nothing else shows that their mail is not counted. The check runs once a
  // minute.
  const alertedUsers = async (): Promise<unknown[]> =>
    (await entries(relay.store)).flatMap(({ kind, alert }) =>
      kind === 'unattributed' ? [alert.facts['user']] : [],
    )
  await waitFor(async () => (await alertedUsers()).length === 2, { timeout: 150_000 })
  assert.deepEqual((await alertedUsers()).sort(), [
    'bob@nobody.example',
    long.slice(0, LONGEST_USER),
  ])
  assert.match(relay.haraka.log, /alert kind=unattributed severity=Medium title="Mail of AUTH user/)

  // The suggested command works: afterwards the mail has a tenant.
  const next = (await found())[0]!
    .next!.replace('tenantctl ', '')
    .replace('TENANT NAME', 'contoso web')
  const added = await tenantctl(['--config', relay.haraka.configDir, ...next.split(' ')])
  assert.equal(added.status, 0, added.stderr)
  await relay.attributed(plain!, 'contoso/web')
})
