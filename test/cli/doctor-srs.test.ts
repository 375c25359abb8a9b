import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir, startRedis, type TestRedis } from '../support'
import { TestDns, type Zone } from '../support/dns'
import { Cli, FORWARDS_ON } from './cli'

const DOMAIN = 'srs.relay.example'
const INI = `${FORWARDS_ON}[outage]\nsnapshot=\n[srs]\ndomain=${DOMAIN}\n`

describe('tenantctl doctor on [srs]', () => {
  let redis: TestRedis
  let cli: Cli

  before(async () => {
    redis = await startRedis()
    cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
  })

  after(() => redis.stop())

  interface Line {
    readonly level: string
    readonly check: string
    readonly message: string
  }

  async function findings(
    check: string,
    zones: Readonly<Record<string, Zone>>,
    { ini = `${INI}secret=0123456789abcdef\n`, files = {} } = {},
  ): Promise<string[]> {
    const config = scratchDir('config')
    for (const [name, text] of Object.entries({ 'unregistered-domain.ini': ini, ...files })) {
      writeFileSync(path.join(config, name), text, { mode: 0o644 })
    }
    const dns = await TestDns.start(zones)
    try {
      const { out } = await cli.run('--config', config, 'doctor', '--json', '--dns', dns.address)
      if (ini === '') assert.deepEqual(dns.asked, [])
      return (JSON.parse(out) as Line[])
        .filter((line) => line.check === check)
        .map(({ level, message }) => `${level} ${message}`)
    } finally {
      await dns.stop()
    }
  }

  const host = { 'mx.relay.example': { a: ['192.0.2.1'] } }

  it('names the hosts that bounces go to', async () => {
    const found = await findings('srs', { [DOMAIN]: { mx: ['mx.relay.example'] }, ...host })
    assert.deepEqual(found, [
      `ok bounces of forwards come to mx.relay.example, the MX of ${DOMAIN}`,
    ])
  })

  it('warns that bounces are lost without an MX, with a null MX, or with an MX without an address', async () => {
    for (const [zone, message] of [
      [{ a: ['192.0.2.1'] }, 'has no MX'],
      [{ mx: [''] }, 'has no MX'],
      [{ mx: ['nowhere.example'] }, 'nowhere.example, has no address'],
    ] as const) {
      const [found, ...more] = await findings('srs', { [DOMAIN]: zone, ...host })
      assert.ok(found?.startsWith('fail ') && found.includes(message), found)
      assert.deepEqual(more, [])
    }
  })

  it('warns that nothing is rewritten where forwards are off', async () => {
    const ini = `${INI.replace(FORWARDS_ON, '')}secret=0123456789abcdef\n`
    const zones = { [DOMAIN]: { mx: ['mx.relay.example'] }, ...host }
    const [found] = await findings('srs', zones, { ini })
    assert.match(
      found ?? '',
      /^warn \[srs\] domain .* \[forwarded\] enabled=false: no sender is rewritten$/,
    )
  })

  it('says that it could not check, where DNS does not answer', async () => {
    const [found] = await findings('srs', { [DOMAIN]: { trouble: 'fail' } })
    assert.match(found ?? '', /^warn DNS gave no answer about the MX of srs\.relay\.example/)
  })

  it('warns where a tenant owns the SRS domain', async () => {
    await cli.given('domain add contoso relay.example --subdomains')
    const zones = { [DOMAIN]: { mx: ['mx.relay.example'] }, ...host }
    const found = await findings('srs', zones)
    assert.match(
      found.join('\n'),
      /^fail srs\.relay\.example of \[srs\] is an accepted domain of contoso/m,
    )
    await cli.given('domain remove contoso relay.example')
    assert.equal((await findings('srs', zones)).length, 1)
  })

  it('warns where every user can read the secret', async () => {
    const inIni = await findings('secrets', host)
    assert.match(inIni.join('\n'), /^warn .*unregistered-domain\.ini holds a password or a key/)
    const inFile = await findings('secrets', host, {
      ini: `${INI}secret_file=srs.secret\n`,
      files: { 'srs.secret': '0123456789abcdef\n' },
    })
    assert.match(inFile.join('\n'), /^warn .*srs\.secret holds a password or a key/)
  })

  it('finds nothing and asks DNS nothing where SRS is off', async () => {
    assert.deepEqual(await findings('srs', {}, { ini: '' }), [])
  })
})
