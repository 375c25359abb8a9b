import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result } from './cli'

const OWN = /is in an accepted domain of contoso: an intruder in its mail can read the warnings/

describe('the contact of a tenant', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  /** With mail to the operators. */
  function withMail(cli: Cli): (...args: string[]) => Promise<Result> {
    const config = scratchDir('config')
    writeFileSync(
      path.join(config, 'unregistered-domain.ini'),
      '[outage]\nsnapshot=\n[alerts]\nmail_to=ops@relay.example\n',
    )
    return (...args) => cli.run('--config', config, ...args)
  }

  async function contactOf(cli: Cli): Promise<unknown> {
    return ((await cli.json('tenant', 'show', 'contoso')) as { contact: unknown }).contact
  }

  it('is set, shown, changed and removed', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --contact Ann@Webmail.example')
    assert.equal(await contactOf(cli), 'Ann@webmail.example')
    assert.match(
      (await cli.run('tenant', 'show', 'contoso')).out,
      /^contact +Ann@webmail\.example$/m,
    )
    await cli.given('tenant set contoso --contact bob@webmail.example')
    assert.equal(await contactOf(cli), 'bob@webmail.example')
    const same = await cli.json(...'tenant set contoso --contact bob@webmail.example'.split(' '))
    assert.equal((same as { result: string }).result, 'unchanged')
    await cli.given('tenant set contoso --contact default')
    assert.equal(await contactOf(cli), null)
    assert.match((await cli.run('tenant', 'show', 'contoso')).out, /^contact +none$/m)
  })

  it('is one valid mail address', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    for (const bad of [
      'ann',
      '',
      '<>',
      'ann@localhost',
      'a@b.example,c@d.example',
      'a@b.example\nBcc: x@y.z',
    ]) {
      const result = await cli.run('tenant', 'set', 'contoso', '--contact', bad)
      assert.equal(result.status, 2, bad)
      assert.match(errorOf(result), /^tenantctl: [^\n]+\n$/)
    }
    const other = await cli.run('tenant', 'add', 'contoso', '--contact', 'x@y.example')
    assert.equal(other.status, 4)
    assert.match(errorOf(other), /contact "default", not "x@y\.example"/)
  })

  it('draws a warning in a domain of the tenant itself, where an intruder could read it', async () => {
    const cli = new Cli(redis.url)
    const run = withMail(cli)
    await cli.given(
      'tenant add contoso',
      'tenant add fabrikam',
      'domain add contoso contoso.com',
      'domain add contoso contoso.net --subdomains',
      'domain add fabrikam fabrikam.com',
    )
    for (const [contact, warned] of [
      ['ann@contoso.com', true],
      ['ann@CONTOSO.com', true],
      ['ann@mail.contoso.com', false],
      ['ann@mail.contoso.net', true],
      ['ann@fabrikam.com', false],
      ['ann@webmail.example', false],
    ] as const) {
      const result = await run('tenant', 'set', 'contoso', '--contact', contact)
      assert.equal(result.status, 0)
      if (warned) assert.match(result.err, OWN, contact)
      else assert.equal(result.err, '', contact)
    }
  })

  it('draws a warning where alerts are not mailed', async () => {
    const cli = new Cli(redis.url)
    const { err } = await cli.run('tenant', 'add', 'contoso', '--contact', 'ann@webmail.example')
    assert.match(err, /no mail goes to contacts of tenants, since \[alerts\] mail_to is empty/)
  })

  it('is checked by the doctor', async () => {
    const cli = new Cli(redis.url)
    const run = withMail(cli)
    const lines = async (): Promise<string[]> => {
      const { out } = await run('doctor')
      return out.split('\n').filter((line) => / contact: /.test(line))
    }
    await cli.given('tenant add contoso', 'tenant add fabrikam')
    assert.deepEqual(await lines(), [])
    await cli.given(
      'tenant set contoso --contact ann@contoso.com',
      'tenant set fabrikam --contact bob@contoso.com',
    )
    assert.deepEqual(await lines(), [
      'ok    contact: no contact of 2 tenants is in a domain of its own',
    ])
    await cli.given('domain add contoso contoso.com')
    const found = await lines()
    assert.equal(found.length, 1)
    assert.match(found[0]!, /^warn {2}contact: ann@contoso\.com, the contact of contoso, is in an/)
  })
})
