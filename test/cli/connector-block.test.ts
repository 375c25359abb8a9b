import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, unconfirmed } from './cli'

const REASON = 'taken over, ticket 4711'

describe('tenantctl connector block and unblock', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  async function contoso(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given(
      'tenant add contoso',
      'domain add contoso contoso.com',
      'connector add contoso edge --ip 192.0.2.1',
      'connector add contoso web --ip 192.0.2.2 --auth web',
    )
    return cli
  }

  const block = async (cli: Cli, ...more: string[]) =>
    unconfirmed(
      await cli.json('connector', 'block', 'contoso', 'edge', '--reason', REASON, ...more),
    )

  it('block and unblock, and say what they did', async () => {
    const cli = await contoso()
    const named = { tenant: 'contoso', name: 'edge' }
    assert.deepEqual(await block(cli), { result: 'blocked', ...named })
    assert.deepEqual(await block(cli), { result: 'unchanged', ...named })
    for (const result of ['unblocked', 'unchanged']) {
      assert.deepEqual(
        unconfirmed(
          await cli.json('connector', 'unblock', 'contoso', 'edge', '--reason', 'reinstalled'),
        ),
        { result, ...named },
      )
    }
    const { out } = await cli.run('connector', 'block', 'contoso', 'edge', '--reason', REASON)
    assert.equal(
      out,
      'blocked connector contoso/edge: all that it relays is refused\nno Haraka process has reported\n',
    )
  })

  it('appear in list, show, explain and doctor', async () => {
    const cli = await contoso()
    await block(cli, '--by', 'dora')
    const [edge, web] = (await cli.json('connector', 'list')) as { blocked: object | null }[]
    const blocked = edge?.blocked as { since: string }
    assert.match(blocked.since, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    assert.deepEqual(blocked, { since: blocked.since, by: 'dora', reason: REASON })
    assert.equal(web?.blocked, null)
    assert.deepEqual(await cli.json('connector', 'show', 'contoso', 'edge'), edge)
    assert.deepEqual(await cli.json('connector', 'show', 'contoso', 'web'), web)
    assert.match((await cli.run('connector', 'list')).out, /^contoso\/edge +blocked +ip 192/m)
    const words = new RegExp(`since \\S+Z by dora: ${REASON}`)
    const shown = (await cli.run('connector', 'show', 'contoso', 'edge')).out
    assert.match(shown, /^enabled +yes$/m)
    assert.match(shown, words)
    assert.match((await cli.run('connector', 'show', 'contoso', 'web')).out, /^blocked +no$/m)

    const question = ['explain', '--from', 'a@contoso.com', '--ip']
    const { verdict, reply } = (await cli.json(...question, '192.0.2.1')) as Record<string, string>
    assert.equal(verdict, 'refuse')
    assert.equal(reply, '550 5.7.711 Access denied, bad inbound connector')
    const { out } = await cli.run(...question, '192.0.2.1')
    assert.match(out, /connector contoso\/edge, which is blocked since/)
    assert.match(out, words)
    const other = (await cli.json(...question, '192.0.2.2')) as Record<string, string>
    assert.equal(other['verdict'], 'pass')

    const doctor = (await cli.run('doctor')).out
    assert.match(doctor, /^warn {2}blocked: contoso\/edge is blocked since/m)
    assert.match(doctor, /→ .*tenantctl connector unblock contoso edge --reason/)
  })

  it('refuse to remove a blocked connector with 4, and say what to do', async () => {
    const cli = await contoso()
    await block(cli)
    for (const line of ['connector remove contoso edge', 'tenant remove contoso']) {
      const result = await cli.run(...line.split(' '))
      assert.equal(result.status, 4, line)
      assert.match(
        errorOf(result),
        /contoso\/edge is blocked.*connector unblock contoso edge/,
        line,
      )
    }
    await cli.given('connector remove contoso web')
  })

  it('end with 2 without a reason, and with 3 for an unknown connector', async () => {
    const cli = await contoso()
    for (const word of ['block', 'unblock']) {
      for (const [line, status, message] of [
        ['contoso edge', 2, /--reason/],
        ['contoso edge --reason', 2, /--reason/],
        ['contoso gone --reason x', 3, /contoso\/gone/],
        ['gone edge --reason x', 3, /gone\/edge/],
        ['contoso E! --reason x', 2, /connector name/],
        ['a/b edge --reason x', 2, /tenant/],
      ] as const) {
        const result = await cli.run('connector', word, ...line.split(' '))
        assert.equal(result.status, status, `${word} ${line}`)
        assert.match(errorOf(result), message, `${word} ${line}`)
      }
      const empty = await cli.run('connector', word, 'contoso', 'edge', '--reason', ' ')
      assert.equal(empty.status, 2)
      const wild = await cli.run('connector', word, 'contoso', 'edge', '--reason', 'a\u001b[31m')
      assert.equal(wild.status, 2)
    }
    assert.equal((await cli.run('connector', 'show', 'contoso', 'gone')).status, 3)
  })
})
