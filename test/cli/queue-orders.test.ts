import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { askQueues, dropFromQueues } from '../../src/operations/queue-orders'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { OrderedHost, served } from '../support/queue-host'
import { queueFile } from '../support/queue-files'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, type Result, type World } from './cli'

describe('tenantctl queue of all hosts', () => {
  let redis: TestRedis
  let cli: Cli
  let store: Store
  let mx1: OrderedHost
  let mx2: OrderedHost

  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  beforeEach(async () => {
    cli = new Cli(redis.url)
    store = new Store(redis.client(), new Keys(cli.prefix))
    mx1 = new OrderedHost(store, 'mx1')
    mx2 = new OrderedHost(store, 'mx2')
    await cli.given('tenant add contoso')
  })

  const files = ({ host }: OrderedHost): string[] => readdirSync(host.directory)
  const run = (world: World, ...words: string[]): Promise<Result> =>
    served([mx1, mx2], () => cli.runIn(world, 'queue', 'contoso', ...words))
  const mail = ({ host }: OrderedHost, options = {}): string =>
    queueFile(host.directory, { tenant: 'contoso', ...options })

  it('lists what each host has, and who has none', async () => {
    mail(mx1, { rcptTo: ['a@far.example', 'b@far.example'] })
    mail(mx1, { noted: 'registered' })
    await cli.given('block contoso --reason test')
    const { status, out } = await run({}, 'list')
    assert.equal(status, 0)
    assert.match(out, /^HOST +CLASS +AGE /)
    assert.match(out, /\nmx1 +unregistered +\d+s +held +x@stranger\.example +a@far\.example and 1 /)
    assert.match(out, /\nmx1: 2 messages: 1 unregistered, 1 registered\nmx2: 0 messages\n/)
    assert.match(out, /\n1 message of 2 held until the restriction of contoso is lifted\n$/)
    const [first] = JSON.parse((await run({}, '--json')).out) as object[]
    const { host, queue, recipient_count } = first as Record<string, unknown>
    assert.deepEqual([host, queue, recipient_count], ['mx1', mx1.host.directory, 2])
    assert.deepEqual(await store.client.keys(`${store.keys.orders}*`), [], 'nothing is left')
  })

  it('names two queues of one host by their directories', async () => {
    mx2 = new OrderedHost(store, 'mx1')
    mail(mx1)
    const { out } = await run({})
    for (const { host } of [mx1, mx2]) assert.ok(out.includes(`mx1:${host.directory}: `), out)
  })

  it('shows headers and recipients without the body, and records who looked', async () => {
    const file = mail(mx2, { mailFrom: 'x@bank.example' })
    mail(mx1)
    const place = path.join(mx2.host.directory, file)
    const header = 'Subject: \u001b[31mred\r\n\tfolded\r\nX-Last: 1\r\n\r\nbody'
    const octets = readFileSync(place, 'latin1').replace('Subject: x\r\n\r\nhello\r\n', header)
    writeFileSync(place, octets, 'latin1')
    const { status, out } = await run({}, 'show', '--where', 'domain^=bank')
    assert.equal(status, 0)
    assert.match(out, /^file +\S+ on mx2\n/)
    assert.match(out, /\nsender +x@bank\.example\nrecipients +a@far\.example\n/)
    assert.match(out, /\n {2}Subject: \[31mred folded\n {2}X-Last: 1\n$/)
    assert.doesNotMatch(out, /body|stranger/)
    const audit = await cli.run('audit', 'contoso')
    assert.match(audit.out, /queue shown.*domain\^=bank.*ann/)
  })

  it('drops what passes the filters only, and records on each host who gave the order', async () => {
    const lures = [
      mail(mx1, { mailFrom: 'x@bank.example' }),
      mail(mx2, { mailFrom: 'x@bank2.example' }),
    ]
    const stay = [mail(mx1), mail(mx1, { mailFrom: 'x@bank.example', noted: 'registered' })]
    const { status, out } = await run({}, 'drop', '--yes', '--where', 'domain^=bank', '--json')
    assert.equal(status, 0)
    const { hosts, ...sum } = JSON.parse(out) as { hosts: object[] }
    assert.deepEqual(sum, {
      ...{ result: 'dropped', tenant: 'contoso', host: 'mx1, mx2' },
      ...{ messages: 2, recipients: 2, missed: 0, silent: [] },
    })
    assert.equal(hosts.length, 2)
    assert.equal(
      lures.some((file) => existsSync(path.join(mx1.host.directory, file))),
      false,
    )
    assert.deepEqual(files(mx1).toSorted(), stay.toSorted())
    assert.deepEqual(files(mx2), [])
    const { out: audit } = await cli.run('audit', 'contoso')
    for (const name of ['mx1', 'mx2']) {
      assert.match(audit, new RegExp(`queue dropped.*1 message for 1 recipient on ${name}.*ann`))
    }
  })

  it('drops only what it has shown before the question', async () => {
    mail(mx1)
    let later = ''
    async function* answer(): AsyncGenerator<string> {
      later = mail(mx1)
      mail(mx2)
      yield await Promise.resolve('y\n')
    }
    const { out, err } = await run({ asks: true, stdin: answer() }, 'drop')
    assert.match(err, /Remove 1 message for 1 recipient permanently\?/)
    assert.match(out, /\nremoved 1 message of contoso for 1 recipient from the queue of mx1\n$/)
    assert.deepEqual(files(mx1), [later])
    assert.equal(files(mx2).length, 1)
  })

  it('drops nothing of a host that answers after the question', async () => {
    mail(mx1)
    mail(mx2)
    const list = await served([mx1], () => askQueues(store, { tenant: 'contoso', for: 'drop' }))
    assert.deepEqual(
      list.hosts.map(({ host }) => host.name),
      ['mx1'],
    )
    const done = await served([mx1, mx2], () => dropFromQueues(store, list))
    assert.deepEqual([done.hosts.length, files(mx1), files(mx2).length], [1, [], 1])
  })

  it('does not drop by a list that is no longer valid, and does not remove what is registered now', async () => {
    mail(mx1)
    const list = await served([mx1], () => askQueues(store, { tenant: 'contoso', for: 'drop' }))
    await cli.given('domain add contoso stranger.example')
    const kept = await served([mx1], () => dropFromQueues(store, list))
    assert.deepEqual([kept.hosts[0]?.dropped.messages, kept.hosts[0]?.registered], [0, 1])
    await store.client.del(store.keys.orderIds(list.order))
    const { failed } = await served([mx1], () => dropFromQueues(store, list))
    assert.match(failed[0]?.reason ?? '', /older than 15 minutes/)
    assert.equal(files(mx1).length, 1)
  })

  it('counts all mail and drops all of it, also where it does not show all', async () => {
    for (let number = 0; number < 1200; number++) mail(mx1)
    const { hosts } = await served([mx1], () =>
      askQueues(store, { tenant: 'contoso', for: 'list' }),
    )
    assert.deepEqual([hosts[0]?.mail.length, hosts[0]?.all.messages], [1000, 1200])
    assert.match((await run({}, 'drop', '--yes')).out, /^removed 1,200 messages /)
    assert.deepEqual(files(mx1), [])
  })

  it('names a host that does not answer, and how to ask it, and ends with 1', async () => {
    mail(mx1)
    await mx2.turn()
    const ask = (...words: string[]): Promise<Result> =>
      served([mx1], () => cli.run('queue', 'contoso', ...words))
    const listed = await ask('list', '--where', 'sender=x@stranger.example')
    assert.equal(listed.status, 1)
    assert.match(listed.out, /\nunregistered /)
    assert.match(
      errorOf(listed),
      /^tenantctl: mx2 did not answer within 5s \(last seen \d+s ago: stopped, an older version, or cut off from Redis\); on it: tenantctl queue contoso list --where sender=x@stranger\.example --local\ntenantctl: not all hosts have answered\n$/,
    )
    await mx2.book.leave(mx2.host)
    assert.equal((await ask()).status, 0, 'a host that has stopped is not missed')
  })

  it('says what a host could not do, and that a host without a queue has no mail', async () => {
    rmdirSync(mx1.host.directory)
    rmdirSync(mx2.host.directory)
    writeFileSync(mx2.host.directory, 'no folder')
    const { status, out, err } = await run({})
    assert.equal(status, 1)
    assert.equal(out, 'no host that answered holds mail of contoso\n')
    assert.match(err, /mx2: Haraka's queue directory \S+ cannot be read \(ENOTDIR\)/)
  })

  it('needs a Haraka that follows, a known tenant, and a filter that can be read', async () => {
    const nobody = await cli.run('queue', 'contoso')
    assert.equal(nobody.status, 1)
    assert.match(errorOf(nobody), /no Haraka .* on each host, use --local/)
    const unknown = await served([mx1], () => cli.run('queue', 'nobody'))
    assert.equal(unknown.status, 3)
    for (const filter of ['ip=1', 'domain', 'class=eaten']) {
      assert.equal((await cli.run('queue', 'contoso', '--where', filter)).status, 2, filter)
    }
  })
})
