import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { charge } from './charging'
import { Cli, errorOf, FORWARDS_ON } from './cli'

/** Of `tenant set`. */
interface Result {
  readonly result: string
  readonly temporary: { readonly limits: string; readonly until: string } | null
  readonly full: readonly object[]
}

describe('tenantctl tenant', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  it('adds a tenant, ends with 0 the second time, and with 4 for other settings', async () => {
    const cli = new Cli(redis.url)
    const add = ['tenant', 'add', 'contoso', '--name', 'Contoso Ltd', '--limits', '5/1h,9/1d defer']
    assert.deepEqual(await cli.json(...add), { result: 'added', tenant: 'contoso' })
    assert.deepEqual(await cli.json(...add), { result: 'unchanged', tenant: 'contoso' })
    const other = await cli.run('tenant', 'add', 'contoso')
    assert.equal(other.status, 4)
    assert.match(errorOf(other), /^tenantctl: tenant contoso exists with .*tenant set contoso\n$/)
  })

  it('shows a tenant as JSON and to people', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso --limits 5/1h --mode monitor',
      'domain add contoso contoso.com contoso.de',
      'connector add contoso web --ip 192.0.2.1',
      'block contoso --reason test',
    )
    const view = (await cli.json('tenant', 'show', 'contoso')) as { created_at: string }
    assert.match(view.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    assert.deepEqual(view, {
      tenant: 'contoso',
      id: 'contoso',
      name: 'contoso',
      mode: 'monitor',
      limits: '5/1h',
      null_limits: null,
      forwarded_limits: null,
      contact: null,
      source: 'ann',
      created_at: view.created_at,
      domains: 2,
      connectors: 1,
      restricted: true,
      probation: null,
      temporary: null,
      null_temporary: null,
      forwarded_temporary: null,
    })
    const { out, status } = await cli.run('tenant', 'show', 'contoso')
    assert.equal(status, 0)
    assert.match(out, /^mode +monitor$/m)
    assert.match(out, /^null limits +300\/1h, 1500\/1d \(default\)$/m)
    assert.match(out, /^registered +\S+Z by ann$/m)
  })

  it('sets what is given, and returns to a default', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 5/1h --mode off')
    const set = async (...options: string[]): Promise<unknown> => {
      const { result } = (await cli.json('tenant', 'set', 'contoso', ...options)) as Result
      return result
    }
    assert.equal(await set('--null-limits', '7/1h'), 'changed')
    assert.equal(await set('--limits', 'default', '--mode', 'default'), 'changed')
    const view = (await cli.json('tenant', 'show', 'contoso')) as Record<string, unknown>
    assert.deepEqual([view['limits'], view['mode'], view['null_limits']], [null, null, '7/1h'])
    assert.equal(await set('--mode', 'default'), 'unchanged')
  })

  it('lists tenants, and says how to add one where there are none', async () => {
    const cli = new Cli(redis.url)
    assert.deepEqual(await cli.json('tenant', 'list'), [])
    assert.match((await cli.run('tenant', 'list')).out, /^no tenants; .*tenant add ID\n$/)
    await cli.given('tenant add fabrikam', 'tenant add contoso')
    const list = (await cli.json('tenant', 'list')) as { id: string }[]
    assert.deepEqual(
      list.map(({ id }) => id),
      ['contoso', 'fabrikam'],
    )
    assert.deepEqual(list[0], await cli.json('tenant', 'show', 'contoso'))
    const { out } = await cli.run('tenant', 'list')
    assert.match(out, /^TENANT +NAME +MODE +LIMITS +DOMAINS +CONNECTORS +RESTRICTED\ncontoso /)
  })

  it('removes a tenant with all its data, unless it is restricted', async () => {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'tenant add fabrikam',
      'domain add contoso contoso.com',
      'connector add contoso web --ip 192.0.2.1',
      'block contoso --reason test',
    )
    const refused = await cli.run('tenant', 'remove', 'contoso')
    assert.equal(refused.status, 4)
    assert.match(errorOf(refused), /restricted.*unblock/)
    await cli.given('unblock contoso --reason test')
    const { out } = await cli.run('tenant', 'remove', 'contoso')
    assert.match(out, /^removed tenant contoso with 1 domain and 1 connector$/m)
    await cli.given(
      'domain add fabrikam contoso.com',
      'connector add fabrikam web --ip 192.0.2.1',
      'tenant add contoso',
    )
    assert.deepEqual(await cli.json('tenant', 'remove', 'contoso'), {
      result: 'removed',
      tenant: 'contoso',
      purged: false,
    })
  })

  it('completes a removal that was interrupted, without a question', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso', 'tenant add fabrikam', 'domain add contoso contoso.com')
    const client = redis.client()
    // Only its hash and its list are gone.
    await client.del(`${cli.prefix}{contoso}`, `${cli.prefix}{contoso}:domains`)
    const { status, out, err } = await cli.runIn({ asks: true }, 'tenant', 'remove', 'contoso')
    assert.equal(status, 0, err)
    assert.match(out, /^completed the removal of tenant contoso, which was interrupted\n/)
    await cli.given('domain add fabrikam contoso.com')
    assert.equal((await cli.run('tenant', 'remove', 'contoso')).status, 3)
  })

  it('ends with 2 for bad input', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    for (const line of [
      'tenant add Contoso',
      'tenant add a/b',
      'tenant add fabrikam --limits 5',
      'tenant add fabrikam --mode enforcing',
      'tenant set contoso',
      'tenant set contoso --limits 5/1y',
      'tenant show @owners',
    ]) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 2, line)
      assert.match(errorOf(result), /^tenantctl: [^\n]+\n$/, line)
    }
  })

  it('ends with 3 for an unknown tenant', async () => {
    const cli = new Cli(redis.url)
    for (const line of [
      'tenant show contoso',
      'tenant set contoso --mode off',
      'tenant remove contoso',
      'domain add contoso contoso.com',
      'domain list contoso',
      'domain remove contoso contoso.com',
      'connector add contoso web --ip 192.0.2.1',
      'connector list contoso',
      'status contoso',
      'block contoso --reason test',
      'unblock contoso --reason test',
    ]) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 3, line)
      assert.match(errorOf(result), /^tenantctl: [^\n]*contoso[^\n]*\n$/, line)
    }
  })

  it('gives a tenant other limits for some time, and says until when and what follows', async () => {
    const cli = new Cli(redis.url, FORWARDS_ON)
    await cli.given(
      'tenant add contoso --limits 100/1h --forwarded-limits 9/1h',
      'connector add contoso web --ip 192.0.2.1',
    )
    const set = ['tenant', 'set', 'contoso', '--limits', '300/1h,900/1d', '--for', '3d']
    const { result, temporary, full } = (await cli.json(...set)) as Result
    assert.deepEqual([result, temporary!.limits, full], ['changed', '300/1h, 900/1d', []])
    const days = (Date.parse(temporary!.until) - Date.now()) / 86_400_000
    assert.ok(days > 2.9 && days <= 3.001, temporary!.until)
    const until = `${temporary!.until.slice(0, 19)}Z`

    const shown = (await cli.json('tenant', 'show', 'contoso')) as Record<string, unknown>
    assert.deepEqual([shown['limits'], shown['temporary']], ['100/1h', temporary])
    assert.equal(shown['null_temporary'], null)
    const status = (await cli.json('status', 'contoso')) as Record<string, unknown>
    assert.deepEqual(status['temporary'], temporary)
    assert.deepEqual(
      (status['windows'] as { limit: number }[]).map(({ limit }) => limit),
      [300, 900],
    )
    const text = `300/1h, 900/1d until ${until}, then 100/1h`
    for (const line of [
      'tenant show contoso',
      'status contoso',
      'explain --from x@lure.example --ip 192.0.2.1',
      'tenant set contoso --mode enforce',
    ]) {
      const { out } = await cli.run(...line.split(' '))
      assert.ok(out.includes(text), `${line}: ${out}`)
    }
    const audit = (await cli.json('audit', 'contoso')) as { from: string; to: string }[]
    assert.ok(
      audit.some(
        ({ from, to }) =>
          from === 'temporaryLimits=default' &&
          to === `temporaryLimits=300/1h, 900/1d until ${until}`,
      ),
      JSON.stringify(audit),
    )
  })

  it('changes limits for some time on each meter that the tenant has, until its usual ones are set', async () => {
    const cli = new Cli(redis.url, FORWARDS_ON)
    await cli.given('tenant add contoso')
    const set = (...options: string[]): Promise<unknown> =>
      cli.json('tenant', 'set', 'contoso', ...options)
    const refused = await cli.run(
      ...'tenant set contoso --forwarded-limits 5/1h --for 1h'.split(' '),
    )
    assert.equal(refused.status, 4)
    assert.match(errorOf(refused), /no allowance for forwarded mail .*--forwarded-limits LIST\)$/m)
    await set('--forwarded-limits', '5/1h')
    await set('--null-limits', '6/1h', '--forwarded-limits', '7/1h', '--for', '90d')
    const fields = async (): Promise<unknown[]> => {
      const view = (await cli.json('tenant', 'show', 'contoso')) as Record<
        string,
        Result['temporary']
      >
      return ['temporary', 'null_temporary', 'forwarded_temporary'].map(
        (field) => view[field]?.limits ?? null,
      )
    }
    assert.deepEqual(await fields(), [null, '6/1h', '7/1h'])
    await set('--name', 'Contoso Ltd')
    await set('--null-limits', 'default')
    assert.deepEqual(await fields(), [null, null, '7/1h'])
    await set('--forwarded-limits', '5/1h')
    assert.deepEqual(await fields(), [null, null, null])
  })

  it('refuses an allowance for forwards that would have no effect, unless it is forced', async () => {
    const off = new Cli(redis.url, '[forwarded]\nenabled=false\n')
    await off.given('tenant add contoso')
    for (const line of [
      'tenant add school --forwarded-limits 5/1h',
      'tenant set contoso --forwarded-limits 5/1h',
      'tenant set contoso --forwarded-limits 5/1h --for 3d',
    ]) {
      const refused = await off.run(...line.split(' '))
      assert.equal(refused.status, 4, line)
      assert.match(
        errorOf(refused),
        /enabled=false \(in \S+\): an allowance for forwards has no effect.*true on all hosts.*--force/,
      )
    }
    assert.deepEqual(await off.run('tenant', 'show', 'school').then(({ status }) => status), 3)
    const bare = new Cli(redis.url, undefined, off.prefix)
    const refused = await bare.run(...'tenant set contoso --forwarded-limits 5/1h'.split(' '))
    assert.match(errorOf(refused), /enabled=false \(is the default, and there is no --config\)/)

    const forced = await off.run(...'tenant set contoso --forwarded-limits 5/1h --force'.split(' '))
    assert.equal(forced.status, 0)
    assert.match(errorOf(forced), /has no effect, and forwards count as unregistered mail$/m)
    const { out } = await off.run('tenant', 'show', 'contoso')
    assert.match(out, /^forwarded limits +5\/1h; no effect: \[forwarded\] enabled=false$/m)
    const status = await off.run('status', 'contoso')
    assert.match(status.out, /^forwards +no effect: \[forwarded\] enabled=false$/m)
    await off.given('tenant set contoso --forwarded-limits default')
    assert.doesNotMatch((await off.run('status', 'contoso')).out, /no effect/)
  })

  it('sets limits for 1m to 90d, and nothing else for a time', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso')
    for (const [line, reason] of [
      ['--limits 5/1h --for 59s', /1m to 90d/],
      ['--limits 5/1h --for 91d', /1m to 90d/],
      ['--limits 5/1h --for soon', /--for "soon" is no time/],
      ['--limits default --for 3d', /"default" goes back for good/],
      ['--mode off --for 3d', /--for is for limits: give --limits/],
      ['--limits 5/1h --mode off --for 3d', /for limits alone/],
    ] as const) {
      const result = await cli.run('tenant', 'set', 'contoso', ...line.split(' '))
      assert.equal(result.status, 2, line)
      assert.match(errorOf(result), reason, line)
    }
    await cli.given('tenant set contoso --limits unlimited --for 1m')
    assert.match((await cli.run('status', 'contoso')).out, /^limits +unlimited until /m)
  })

  it('says that a tenant is past its new limits', async () => {
    const cli = new Cli(redis.url)
    await cli.given('tenant add contoso --limits 100/1h --null-limits 50/1h')
    for (let at = 0; at < 7; at++) await charge(redis, cli, 'contoso')
    const set = ['tenant', 'set', 'contoso', '--limits', '5/1h, 7/1d defer']
    const { full } = (await cli.json(...set)) as Result
    assert.deepEqual(full, [
      { meter: 'unregistered', window: '1h', limit: 5, defer: false, used: 7 },
    ])
    const said = async (...options: string[]): Promise<string> =>
      (await cli.run('tenant', 'set', 'contoso', ...options)).out
    const already = 'already 7 of 5 in 1h (unregistered mail): the next recipient'
    assert.ok((await said('--limits', '5/1h')).includes(`${already} restricts it\n`))
    assert.ok(
      (await said('--limits', '5/1h', '--mode', 'monitor')).includes(
        `${already} would restrict it`,
      ),
    )
    await said('--mode', 'enforce')
    assert.ok((await said('--limits', '5/1h defer')).includes(`${already} is deferred`))
    for (const options of [
      ['--limits', '8/1h'],
      ['--limits', '0/1h'],
      ['--null-limits', '5/1h'],
      ['--limits', '5/1h', '--mode', 'off'],
    ]) {
      assert.doesNotMatch(await said(...options), /already/, options.join(' '))
    }
  })
})
