import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { queueFile } from '../support/queue-files'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result, type World } from './cli'

describe('tenantctl queue', () => {
  let redis: TestRedis
  let cli: Cli
  let site: string
  const queue = (): string => path.join(site, 'queue')

  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  beforeEach(async () => {
    cli = new Cli(redis.url)
    site = scratchDir('site')
    mkdirSync(queue())
    mkdirSync(path.join(site, 'config'))
    writeFileSync(path.join(site, 'config/unregistered-domain.ini'), '[restriction]\nqueued=hold\n')
    await cli.given('tenant add contoso')
  })

  const run = (world: World, ...words: string[]): Promise<Result> =>
    cli.runIn(world, '--config', path.join(site, 'config'), 'queue', ...words)

  it('shows what is queued by class, and what waits for the lift', async () => {
    queueFile(queue(), { tenant: 'contoso', arrived: Date.now() - 7_170_000 })
    queueFile(queue(), {
      ...{ tenant: 'contoso', noted: 'registered', mailFrom: 'x@contoso.com' },
      ...{ nextAttempt: Date.now() + 600_000, rcptTo: ['a@far.example', 'b@far.example'] },
    })
    await cli.given('block contoso --reason test')
    const { status, out } = await run({}, 'contoso')
    assert.equal(status, 0)
    assert.match(out, /^CLASS +AGE +NEXT +SENDER +RECIPIENTS +SIZE +FILE\n/)
    assert.match(out, /\nunregistered +2h +held +x@stranger\.example +a@far\.example +21 B /)
    assert.match(out, /\nregistered +\d+s +in 10m +x@contoso\.com +a@far\.example and 1 more /)
    assert.match(out, /\n2 messages: 1 unregistered, 1 registered\n/)
    assert.match(out, /\n1 message of 2 held until the restriction of contoso is lifted\n$/)
    const listed = JSON.parse((await run({}, 'contoso', 'list', '--json')).out) as object[]
    assert.deepEqual(Object.keys(listed[0]!).toSorted(), [
      ...['arrived', 'class', 'connector', 'failures', 'file', 'held', 'next_attempt'],
      ...['recipients', 'sender', 'size'],
    ])
  })

  it('drops unregistered and foreign mail after a yes, and writes down who did it', async () => {
    queueFile(queue(), { tenant: 'contoso' })
    queueFile(queue(), {
      tenant: 'contoso',
      noted: 'foreign',
      rcptTo: ['a@b.example', 'c@b.example'],
    })
    const stay = [
      queueFile(queue(), { tenant: 'contoso', noted: 'registered' }),
      queueFile(queue(), { tenant: 'contoso', noted: 'forwarded' }),
      queueFile(queue(), { tenant: 'contoso', noted: 'null' }),
      queueFile(queue(), { tenant: 'fabrikam' }),
    ]
    const no = await run({ asks: true, stdin: '\n' }, 'contoso', 'drop')
    assert.equal(no.status, 0)
    assert.match(errorOf(no), /^Remove 2 messages for 3 recipients, for good\?/)
    assert.match(no.out, /2 messages: 1 unregistered, 1 foreign\nnothing was removed\n$/)
    assert.equal(readdirSync(queue()).length, 6)

    const yes = await run({ asks: true, stdin: 'y\n' }, 'contoso', 'drop')
    assert.match(yes.out, /\nremoved 2 messages of contoso for 3 recipients from the queue of /)
    assert.match(yes.err, /2 messages may have been on the way already/)
    assert.deepEqual(readdirSync(queue()).toSorted(), stay.toSorted())
    const audit = await cli.run('audit', 'contoso')
    assert.match(audit.out, /queue dropped.*2 messages for 3 recipients on .*ann/)

    const again = await run({}, 'contoso', 'drop', '--yes')
    assert.deepEqual([again.status, again.err.includes('on the way')], [0, false])
    assert.match(again.out, /holds no unregistered mail of contoso\n$/)
  })

  it('removes nothing where nobody can be asked, and says so where there is no queue', async () => {
    queueFile(queue(), { tenant: 'contoso' })
    const mute = await run({}, 'contoso', 'drop')
    assert.equal(mute.status, 2)
    assert.match(errorOf(mute), /no terminal to ask at: give --yes/)
    assert.equal(readdirSync(queue()).length, 1)
    for (const [status, pattern, ...words] of [
      [2, /name Haraka's config directory with --config/, 'queue', 'contoso'],
      [2, /not a tenant id/, '--config', path.join(site, 'config'), 'queue', 'No Id'],
      [2, /Allowed choices are list, drop/, 'queue', 'contoso', 'eat'],
      [3, /there is no tenant "nobody"/, '--config', path.join(site, 'config'), 'queue', 'nobody'],
    ] as [number, RegExp, ...string[]][]) {
      const result = await cli.run(...words)
      assert.equal(result.status, status, words.join(' '))
      assert.match(errorOf(result), pattern)
    }
    writeFileSync(path.join(site, 'config/queue_dir'), '/nowhere/queue\n')
    const elsewhere = await run({}, 'contoso')
    assert.equal(elsewhere.status, 1)
    assert.match(
      errorOf(elsewhere),
      /\/nowhere\/queue cannot be read \(ENOENT\).*where Haraka runs/,
    )
  })
})
