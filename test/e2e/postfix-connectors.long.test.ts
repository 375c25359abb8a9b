// Postfix as a tenant's server behind Haraka, recognised in each way of docs/hybrid.md, with the lines of that page.
import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import {
  CertificateAuthority,
  newAddress,
  noPostfix,
  startPostfix,
  startRelay,
  tenantctl,
  type HarakaVersion,
  type TestPostfix,
  type TestRelay,
} from '../support'
import { documented } from '../support/documented'

const PAGE = 'docs/hybrid.md'
const [COMMON = ''] = documented(PAGE, 'How its server is recognised')
const PASSWORDS = documented(PAGE, 'By password').at(-1)!
const [user = '', password = ''] = PASSWORDS.trim().split(' ')[1]!.split(':')

const ca = new CertificateAuthority('Authority')
const server = ca.issue({ names: ['relay.example'] })
const client = ca.issue({ names: ['mx1.contoso.com'] })

for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`Postfix as a tenant’s server, behind Haraka ${version}`, { skip: noPostfix }, () => {
    const office = newAddress()
    // As Postfix will come.
    const sessions = {
      'contoso/office': { localAddress: office },
      'contoso/mx1': { starttls: { key: client.key, cert: client.cert } },
      'contoso/branch': { starttls: {}, auth: { user, password } },
    }
    let relay: TestRelay
    before(async () => {
      relay = await startRelay({
        version,
        settings: { attribution: { grant_relay: true, unknown: 'deny' } },
        // Only connectors grant relaying.
        relayFrom: [],
        users: { [user]: password },
        tls: { key: server.key, cert: server.cert, ca: ca.cert },
      })
      await relay.tenant('contoso', { domains: ['contoso.com'], connectors: {} })
    })
    after(() => relay?.stop())

    /** The lines of the page, with the paths and addresses of this test. */
    function here(text: string): string {
      return text
        .replaceAll('[relay.example]:25', `[127.0.0.1]:${relay.haraka.port}`)
        .replaceAll('192.0.2.10', office)
        .replaceAll('/etc/postfix', '$config_directory')
        .replaceAll('/etc/ssl/certs', '$config_directory')
    }

    async function postfixFor(t: TestContext, lines: string): Promise<TestPostfix> {
      const postfix = await startPostfix({
        mainCf: here(COMMON + lines),
        files: {
          'ca-certificates.crt': ca.cert,
          'relay-key.pem': client.key,
          'relay-cert.pem': client.cert,
          'relay-password': here(PASSWORDS),
        },
      })
      t.after(() => postfix.stop())
      return postfix
    }

    async function run(command: string): Promise<void> {
      const [program, ...words] = here(command).trim().split(' ')
      assert.equal(program, 'tenantctl')
      const { status, stderr } = await tenantctl(['--config', relay.haraka.configDir, ...words])
      assert.equal(status, 0, stderr)
    }

    /** What the sink gets of a message through Postfix. */
    async function passes(postfix: TestPostfix, from: string, subject: string) {
      const log = postfix.log.length
      await postfix.submit({ from, to: 'bob@far.example', subject })
      const { mailFrom, rcptTo, note } = await relay.haraka.sink.waitFor(
        (message) => message.subject === subject,
      )
      await postfix.waitForLog(/to=<bob@far\.example>.* status=sent /, { from: log })
      return { mailFrom, rcptTo, note }
    }

    for (const [heading, connector, stranger] of [
      ['By address', 'contoso/office', '550 I cannot deliver mail for <bob@far.example>'],
      ['By certificate', 'contoso/mx1', '550 I cannot deliver mail for <bob@far.example>'],
      // It is authenticated, so Haraka would relay for it.
      ['By password', 'contoso/branch', '550 5.7.64 TenantAttribution; Relay Access Denied SMTP'],
    ] as const) {
      it(`${heading.toLowerCase()}: without a tenant at first, and the tenant’s after the command of the page`, async (t) => {
        const [command = '', lines = ''] = documented(PAGE, heading)
        const postfix = await postfixFor(t, `smtp_tls_loglevel = 1\n${lines}`)
        await postfix.submit({ from: 'anna@contoso.com', to: 'bob@far.example' })
        const [, said] = await postfix.waitForLog(/ status=bounced \(host .* said: (.*) \(in reply/)
        assert.equal(said, stranger)

        await run(command)
        await relay.attributed(sessions[connector], connector)
        const used = await relay.used('contoso')
        const registered = await passes(postfix, 'anna@contoso.com', `${heading}, a user`)
        const note = { tenant: 'contoso', connector }
        assert.deepEqual(registered, {
          mailFrom: 'anna@contoso.com',
          rcptTo: ['bob@far.example'],
          note: { ...(registered.note as object), ...note, class: 'registered' },
        })
        assert.equal(await relay.used('contoso'), used)
        const other = await passes(postfix, 'scanner@printing.example', `${heading}, a scanner`)
        assert.deepEqual(other, {
          mailFrom: 'scanner@printing.example',
          rcptTo: ['bob@far.example'],
          note: { ...(other.note as object), ...note, class: 'unregistered' },
        })
        assert.equal(await relay.used('contoso'), used + 1)
        assert.match(postfix.log, /Verified TLS connection established to 127\.0\.0\.1/)
      })
    }
  })
}
