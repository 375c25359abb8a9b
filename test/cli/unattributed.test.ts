import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DAY } from '../../src/reporting/calendar'
import { unattributedField, type UnattributedSource } from '../../src/reporting/rows'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { startRedis, type TestRedis } from '../support/redis'
import { add, countsOf, type Mail } from '../support/reports'
import { Cli } from './cli'

const TODAY = Math.floor(Date.now() / DAY) * DAY
const FINGERPRINT = 'ab'.repeat(32)

describe('tenantctl unattributed', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function relayed(
    cli: Cli,
    mail: Mail,
    source: Partial<UnattributedSource> = {},
  ): Promise<void> {
    const store = new Store(redis.client(), new Keys(cli.prefix))
    const field = unattributedField({ ip: '192.0.2.9', user: '', certificate: '', ...source })
    await add(store, store.keys.unattributedDay(Math.floor(mail.at / DAY)), field, countsOf(mail))
  }

  it('adds up days, the most recipients first, and prints the next command', async () => {
    const cli = new Cli(redis.url)
    await relayed(cli, { at: TODAY - DAY, accepted: 2 })
    await relayed(cli, { at: TODAY, accepted: 3, refused: 1 })
    await relayed(
      cli,
      { at: TODAY, accepted: 9 },
      { user: "bob's@contoso.com", certificate: 'x.y' },
    )
    await relayed(cli, { at: TODAY, accepted: 8 }, { certificate: FINGERPRINT })
    await relayed(cli, { at: TODAY, accepted: 7 }, { certificate: 'mail.contoso.com' })
    await relayed(cli, { at: TODAY, accepted: 1 }, { ip: '2001:db8::/64' })
    await relayed(cli, { at: TODAY - 8 * DAY, accepted: 99 }, { ip: '192.0.2.1' })
    const other = { ip: '(other)', user: '(other)', certificate: '(other)' }
    await relayed(cli, { at: TODAY, accepted: 50 }, other)
    const names = Array.from({ length: 300 }, (_, at) => `10.0.0.${at}\t\t`)
    const keys = new Keys(cli.prefix)
    await redis.client().pfadd(keys.reportOthers(keys.unattributedDay(TODAY / DAY)), ...names)

    const { out } = await cli.run('unattributed')
    assert.equal(
      out
        .replace(/about \d+ sources/, 'about N sources')
        .replace(/\d{4}-\d\d-\d\d /g, '')
        .replace(/ +/g, ' '),
      `IP AUTH USER CERTIFICATE ACCEPTED REFUSED FIRST LAST NEXT
192.0.2.9 bob's@contoso.com x.y 9/9 0/0 00:00Z 00:00Z tenantctl connector add TENANT NAME --auth 'bob'\\''s@contoso.com'
192.0.2.9 - sha256 abababababababab… 8/8 0/0 00:00Z 00:00Z tenantctl connector add TENANT NAME --cert-sha256 ${FINGERPRINT}
192.0.2.9 - mail.contoso.com 7/7 0/0 00:00Z 00:00Z tenantctl connector add TENANT NAME --cert mail.contoso.com
192.0.2.9 - - 5/5 1/1 00:00Z 00:00Z tenantctl connector add TENANT NAME --ip 192.0.2.9
2001:db8::/64 - - 1/1 0/0 00:00Z 00:00Z tenantctl connector add TENANT NAME --ip 2001:db8::/64
(other): about N sources (other) (other) 50/50 0/0 00:00Z 00:00Z
Counts are messages/recipients.
`,
    )
    const json = (await cli.json('unattributed', '--days', '9')) as {
      other_sources: number
      rows: { ip: string; recipients: { accepted: number }; first_seen: string; next: string }[]
    }
    assert.ok(Math.abs(json.other_sources - 300) < 20)
    assert.equal(json.rows[0]?.ip, '192.0.2.1')
    const row = json.rows.find(({ next }) => next?.endsWith('--ip 192.0.2.9'))
    assert.equal(row?.recipients.accepted, 5)
    assert.equal(row.first_seen, new Date(TODAY - DAY).toISOString())
  })

  it('says why it shows no sources where none are kept', async () => {
    const cli = new Cli(redis.url)
    const nobody = { ip: '(other)', user: '(other)', certificate: '(other)' }
    await relayed(cli, { at: TODAY, accepted: 50 }, nobody)
    const { out } = await cli.run('unattributed')
    assert.match(out, /^\(other\) +\(other\) +\(other\) +50\/50/m)
    assert.match(out, /^\(other\): with \[report\] samples=false no sources are recorded$/m)
  })

  it('lists nothing where all mail is attributed', async () => {
    const { out } = await new Cli(redis.url).run('unattributed')
    assert.equal(out, 'no mail was relayed without a tenant\n')
  })

  it('prints nothing that a terminal, shell or spreadsheet would execute', async () => {
    const cli = new Cli(redis.url)
    const user = '\u001b[2J\u202e$(reboot)\n`id`'
    await relayed(cli, { at: TODAY, accepted: 2 }, { user })
    await relayed(cli, { at: TODAY, accepted: 1 }, { certificate: '=cmd', ip: user })
    for (const format of [[], ['--csv'], ['--json']]) {
      const { out } = await cli.run('unattributed', ...format)
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(out, /[\u001b\u202e]|^`id`/m)
      if (format[0] === '--csv') assert.match(out, /,'=cmd,/)
      else assert.match(out, /--auth '\[2J\$\(reboot\) `id`'/)
    }
  })

  it('refuses bad options: 2', async () => {
    const cli = new Cli(redis.url)
    assert.equal((await cli.run('unattributed', '--days', '91')).status, 2)
    assert.equal((await cli.run('unattributed', '--csv', '--json')).status, 2)
  })
})
