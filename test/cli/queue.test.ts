import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { readQueueFile } from '../../scripts/services/queue-file'
import { queuedNote } from '../../src/outbound/note'
import { notedClass } from '../../src/mail/classes'
import { queuedClass } from '../../src/decision/classify'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { readSnapshot } from '../../src/directory/snapshot-reader'
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
    cli.runIn(world, '--config', path.join(site, 'config'), 'queue', '--local', ...words)

  it('shows the queue by class, and what waits for the lift', async () => {
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
      ...['arrived', 'class', 'connector', 'failures', 'file', 'held', 'host', 'next_attempt'],
      ...['queue', 'recipient_count', 'recipients', 'sender', 'size'],
    ])
  })

  it('drops unregistered and foreign mail after a yes, and records who did it', async () => {
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
    assert.match(errorOf(no), /^Remove 2 messages for 3 recipients permanently\?/)
    assert.match(no.out, /2 messages: 1 unregistered, 1 foreign\nnothing was removed\n$/)
    assert.equal(readdirSync(queue()).length, 6)

    const yes = await run({ asks: true, stdin: 'y\n' }, 'contoso', 'drop')
    assert.match(yes.out, /\nremoved 2 messages of contoso for 3 recipients from the queue of /)
    assert.match(yes.err, /Haraka may have begun to deliver 2 messages/)
    assert.deepEqual(readdirSync(queue()).toSorted(), stay.toSorted())
    const audit = await cli.run('audit', 'contoso')
    assert.match(audit.out, /queue dropped.*2 messages for 3 recipients on .*ann/)

    const again = await run({}, 'contoso', 'drop', '--yes')
    assert.deepEqual([again.status, again.err.includes('on the way')], [0, false])
    assert.match(again.out, /holds no unregistered mail of contoso\n$/)
  })

  describe('uses the present class of a message', () => {
    /** The class at arrival, what was registered since, and the present class. */
    const cases = [
      ['unregistered', 'x@stranger.example', 'unregistered'],
      ['unregistered', 'x@new.example', 'registered', 'domain add contoso new.example'],
      ['unregistered', 'x@not.new.example', 'unregistered', 'domain add contoso new.example'],
      [
        'unregistered',
        'x@a.up.example',
        'registered',
        'domain add contoso up.example --subdomains',
      ],
      [
        'unregistered',
        'x@agency.example',
        'registered',
        'domain add contoso agency.example --shared',
      ],
      ['unregistered', 'x@münchen.example', 'registered', 'domain add contoso münchen.example'],
      [
        'unregistered',
        'x@new.example.evil.example',
        'unregistered',
        'domain add contoso new.example',
      ],
      ['unregistered', 'x@theirs.example', 'unregistered', 'domain add fabrikam theirs.example'],
      ['foreign', 'x@theirs.example', 'foreign', 'domain add fabrikam theirs.example'],
      [
        ...(['foreign', 'x@moved.example', 'registered'] as const),
        ...['domain add fabrikam moved.example', 'domain move moved.example contoso'],
      ],
      ['forwarded', 'x@outside.example', 'forwarded'],
      ['forwarded', 'x@new.example', 'registered', 'domain add contoso new.example'],
      ['registered', 'x@removed.example', 'registered'],
      ['registered', 'x@theirs.example', 'registered', 'domain add fabrikam theirs.example'],
      ['null', '', 'null'],
      ['none', 'x@NEW.example', 'registered', 'domain add contoso new.example'],
      ['none', 'x@stranger.example', null],
      ['none', '', 'null'],
    ] as const
    const HELD: readonly (string | null)[] = ['unregistered', 'foreign', 'forwarded', null]

    for (const [noted, mailFrom, expected, ...lines] of cases) {
      it(`${noted} of <${mailFrom}>${lines.map((line) => `, ${line}`).join('')}: ${expected}`, async () => {
        await cli.given('tenant add fabrikam', ...lines, 'block contoso --reason test')
        const file = queueFile(queue(), { tenant: 'contoso', noted, mailFrom })
        const { out } = await run({}, 'contoso', '--json')
        const [shown] = JSON.parse(out) as { class: string | null; held: boolean }[]
        assert.equal(shown?.class, expected)
        assert.equal(shown.held, HELD.includes(expected))
        // With the function that the plugin uses to hold mail.
        const store = new Store(redis.client(), new Keys(cli.prefix))
        const snapshot = (await readSnapshot(store, 'contoso', undefined))!
        const { from, notes } = readQueueFile(path.join(queue(), file))
        assert.equal(notedClass(queuedClass(queuedNote(notes)!.class, from, snapshot)), expected)

        await run({}, 'contoso', 'drop', '--yes')
        const stays = expected !== 'unregistered' && expected !== 'foreign'
        assert.deepEqual(readdirSync(queue()), stays ? [file] : [])
      })
    }

    it('and asks for it again after the answer, which may take long', async () => {
      queueFile(queue(), { tenant: 'contoso' })
      const stays = queueFile(queue(), { tenant: 'contoso', mailFrom: 'x@new.example' })
      async function* answer(): AsyncGenerator<string> {
        await cli.given('domain add contoso new.example')
        yield 'y\n'
      }
      const result = await run({ asks: true, stdin: answer() }, 'contoso', 'drop')
      assert.equal(result.status, 0)
      assert.match(result.out, /\n2 messages: 2 unregistered\nremoved 1 message of contoso for 1 /)
      assert.match(
        result.err,
        /not removed, since the domain has been registered meanwhile: 1 message\n/,
      )
      assert.deepEqual(readdirSync(queue()), [stays])
      assert.match(
        (await cli.run('audit', 'contoso')).out,
        /queue dropped.*1 message for 1 recipient on /,
      )
    })

    it('but the class at arrival for a removed tenant', async () => {
      queueFile(queue(), { tenant: 'gone', mailFrom: 'x@new.example' })
      const [shown] = JSON.parse((await run({}, 'gone', '--json')).out) as object[]
      assert.deepEqual({ ...shown, ...{ class: 'unregistered', held: false } }, shown)
    })
  })

  it('removes nothing without a terminal to ask at, and reports a missing queue', async () => {
    queueFile(queue(), { tenant: 'contoso' })
    const mute = await run({}, 'contoso', 'drop')
    assert.equal(mute.status, 2)
    assert.match(errorOf(mute), /no terminal to ask at: give --yes/)
    assert.equal(readdirSync(queue()).length, 1)
    const local = ['--config', path.join(site, 'config'), 'queue', '--local']
    for (const [status, pattern, ...words] of [
      [2, /name Haraka's config directory with --config/, 'queue', 'contoso', '--local'],
      [2, /not a tenant id/, '--config', path.join(site, 'config'), 'queue', 'No Id'],
      [2, /Allowed choices are list, show, drop/, 'queue', 'contoso', 'eat'],
      [3, /there is no tenant "nobody"/, ...local, 'nobody'],
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
