// The package as npm installs it, without its optional peer, in a site that sets [forwarded] enabled=true.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  startHaraka,
  startRedis,
  TestRelay,
  waitFor,
  type HarakaVersion,
  type TestTenant,
} from '../support'
import { TestDns } from '../support/dns'
import { PackageCopy } from '../support/package-copy'
import { keyZones, signer, signMessage } from '../support/signed'
import { letter } from './table/row'

const NEWS = 'news@bank.example'
const bank = { domain: 'bank.example' }
const MISSING =
  /\[CRIT\].*mailauth is not installed: no forward can be proven, and all of them count as unregistered mail; in Haraka's directory, run: npm install mailauth@4/

for (const version of ['3.3.4', '3.1.7'] satisfies HarakaVersion[]) {
  describe(`a package without mailauth, in Haraka ${version}`, () => {
    const copy = new PackageCopy()
    let dns: TestDns
    let relay: TestRelay
    let tenant: TestTenant
    before(async () => {
      dns = await TestDns.start(keyZones([signer(bank)]))
      const redis = await startRedis()
      const haraka = await startHaraka({
        ...{ version, redis, package: copy.dir },
        settings: { forwarded: { enabled: true }, redis: { command_timeout: 5000 } },
        plugins: ['ask_test_dns', 'relay', 'unregistered-domain', 'test_sink'],
        localPlugins: { ask_test_dns: `require('node:dns').setServers(['${dns.address}'])` },
      })
      relay = new TestRelay(redis, [haraka])
      tenant = await relay.tenant('school', { limits: '5/1h', forwardedLimits: '5/1h' })
    })
    after(async () => {
      await relay?.stop()
      await dns?.stop()
    })

    /** Sends a message that its signature proves to be a forward. */
    async function forward(): Promise<string> {
      const client = await tenant.connect()
      assert.equal((await client.mail(NEWS)).code, 250)
      assert.equal((await client.rcpt('a@far.example')).code, 250)
      assert.equal((await client.data()).code, 354)
      const { raw } = await client.message(signMessage(letter(tenant.domain), bank))
      await client.quit()
      return raw
    }

    /** What `tenantctl doctor` of the package finds about mailauth. */
    async function finding(): Promise<(string | null)[]> {
      const program = path.join(copy.dir, 'dist/src/cli/tenantctl.js')
      const args = [program, 'doctor', '--json', '--config', relay.haraka.configDir]
      // Its status is 1 where something fails.
      const stdout = await new Promise<string>((resolve) => {
        execFile(process.execPath, args, (_error, output) => resolve(output))
      })
      const lines = JSON.parse(stdout) as { check: string; level: string; advice: string | null }[]
      const [found] = lines.filter(({ check }) => check === 'mailauth')
      return found ? [found.level, found.advice] : []
    }

    it('starts, and says in its log and to the doctor what to install', async () => {
      await relay.haraka.waitForLog(MISSING)
      assert.deepEqual(await finding(), [
        'fail',
        "in Haraka's directory, run: npm install mailauth@4",
      ])
    })

    it('accepts a forward, counts it as unregistered, and says why', async () => {
      assert.match(await forward(), /^250 /)
      await waitFor(async () => (await tenant.used()) === 1)
      assert.equal(await tenant.used('forwarded'), 0)
      await relay.haraka.waitForLog(/class=unregistered .*proof="none: no mailauth"/)
    })

    it('proves forwards as soon as it is installed', async () => {
      copy.installMailauth()
      assert.deepEqual(await finding(), ['ok', null])
      assert.match(await forward(), /^250 /)
      await waitFor(async () => (await tenant.used('forwarded')) === 1)
      assert.equal(await tenant.used(), 1)
    })
  })
}
