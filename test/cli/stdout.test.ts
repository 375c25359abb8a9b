import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { scratchDir } from '../../scripts/services/scratch'
import { waitFor } from '../../scripts/services/wait-for'
import { Stdout, type Device } from '../../src/cli/kit/stdout'
import { EventStream } from '../../src/events/stream'
import { Keys } from '../../src/store/keys'
import { Store } from '../../src/store/store'
import { queueFile } from '../support/queue-files'
import { beat, LONG_AGO } from '../support/nodes'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, leaves, tenantctl } from './cli'

/** A device that fails at once, or after the first `after` writes. */
function failing(code: string, after = 0): Device {
  let writes = 0
  return {
    write: (_octets, done) => done(writes++ < after ? undefined : errorWith(code)),
    close: () => {},
  }
}

function errorWith(code: string): Error {
  return Object.assign(new Error(`${code}: no good, write`), { code })
}

const AUDIT = '; tenantctl audit shows what was changed'
const incomplete = (code: string, advice = ''): string =>
  `tenantctl: stdout cannot be written (${code}: ${code === 'EPIPE' ? 'its reader has gone' : 'no good, write'}): the output is not complete${advice}\n`

describe('stdout', () => {
  it('finishes when all is written', async () => {
    const dones: (() => void)[] = []
    const stdout = new Stdout({ write: (_octets, done) => void dones.push(done), close: () => {} })
    stdout.write('a')
    stdout.write('b')
    let finished = false
    const end = stdout.finish().then(() => (finished = true))
    dones[0]!()
    await Promise.resolve()
    assert.equal(finished, false)
    dones[1]!()
    await end
  })

  it('writes nothing after a failure, and reports the first one', async () => {
    let writes = 0
    const stdout = new Stdout({
      write: (_octets, done) => done(errorWith(['ENOSPC', 'EPIPE'][writes++]!)),
      close: () => assert.fail('closed'),
    })
    stdout.write('a')
    stdout.write('b')
    await assert.rejects(stdout.flushed(), /ENOSPC/)
    await assert.rejects(stdout.finish(), /ENOSPC/)
    await stdout.failed
    assert.equal(writes, 1)
  })

  it('fails where the system reports a full disk only at the end', async () => {
    const close = (): void => {
      throw errorWith('EDQUOT')
    }
    const { status, err } = await tenantctl(['--version'], {
      device: { write: (_octets, done) => done(), close },
    })
    assert.deepEqual([status, err], [1, incomplete('EDQUOT')])
  })
})

describe('a command whose output does not arrive', () => {
  let redis: TestRedis
  let site: string
  let reading: string[]
  let changing: string[]
  before(async () => {
    redis = await startRedis()
    site = scratchDir('site')
    for (const folder of ['config', 'queue']) mkdirSync(path.join(site, folder))
    writeFileSync(path.join(site, 'config/unregistered-domain.ini'), '[main]\nmode=enforce\n')
    const tenants = path.join(site, 'tenants.yaml')
    writeFileSync(tenants, 'id: site\ntenants:\n  d: { domains: [d.example] }\n')
    const backup = path.join(site, 'backup.jsonl')
    const config = `--config ${path.join(site, 'config')}`
    reading = [
      ...['--version', '--help', 'report --help'],
      ...['tenant list', 'tenant show contoso', 'domain list contoso', 'connector list'],
      ...[
        'connector show contoso mx',
        'connector find 192.0.2.1',
        'find contoso',
        'status',
        'status contoso',
        'top --once',
        'restricted',
        'unusual',
      ],
      'domain show contoso.com',
      ...['report contoso', 'report contoso --csv', 'unattributed', 'unattributed --csv'],
      'metrics --once',
      ...['events', 'audit', 'suggest contoso', 'explain --from x@lure.example --ip 192.0.2.1'],
      'completion bash',
      ...[
        'case list',
        'case show contoso:1',
        'incident contoso',
        'alert contacts',
        'alert snooze --list',
        'enforcement status',
        'registry status',
        'nodes',
        'nodes --verbose',
        `doctor ${config}`,
      ],
      ...[`queue contoso --local ${config}`, `apply ${tenants} --dry-run`],
    ]
    changing = [
      ...['tenant add a', 'tenant add b', 'tenant set a --mode monitor'],
      ...['domain add a a.example', 'domain set a a.example --subdomains'],
      ...['domain move a.example b', 'domain remove b a.example'],
      ...['connector add a mx --ip 192.0.2.9', 'connector disable a mx', 'connector enable a mx'],
      ...['connector set a mx --add-ip 192.0.2.8'],
      ...['connector block a mx --reason x', 'connector unblock a mx --reason x'],
      'unblock --since 2026-01-01 --reason x --yes',
      ...[
        'connector remove a mx',
        'block a --reason x',
        'case take a:1',
        'case release a:1',
        'case note a:1 x',
      ],
      ...['case check a:1 proof --note x', 'unblock a --reason x', 'case close a:1 --note x'],
      ...[`backup ${backup}`, `restore ${backup}`, 'init --force', `apply ${tenants}`],
      ...[
        'alert test',
        'alert contacts drop',
        'alert snooze a --kind unusual --for 1d --reason x',
        'alert unsnooze a',
        'nodes forget mx1',
        'enforcement pause --reason x',
        'enforcement resume --reason x',
        `queue a drop --local --yes ${config}`,
        `doctor --repair ${config}`,
      ],
      ...['registry restore-known --reason x', 'registry accept-redis --reason x'],
      'tenant detach d',
      'tenant remove b',
    ]
  })
  after(() => redis.stop())

  async function seeded(): Promise<Cli> {
    const cli = new Cli(redis.url)
    await cli.given(
      ...['tenant add contoso', 'domain add contoso contoso.com', 'block contoso --reason x'],
      'connector add contoso mx --ip 192.0.2.1',
    )
    await beat(new Store(redis.client(), new Keys(cli.prefix)), { id: 'mx1/a' }, LONG_AGO)
    return cli
  }

  it('covers every command', () => {
    const all = leaves()
    // Evidence needs a trip, a purge leaves nothing to look at, and others ask a console; all are printed like the rest.
    const asking = ['console link', 'console sessions list', 'console sessions revoke']
    const lines = [...reading, ...changing, 'backup -', 'evidence', 'purge', ...asking]
    const tried = all.filter((command) =>
      lines.some((line) => `${line} `.startsWith(`${command} `)),
    )
    assert.deepEqual(tried, all)
  })

  it('ends normally where it only reads and the reader has gone', async () => {
    const cli = await seeded()
    for (const line of reading) {
      for (const more of line.includes('--csv') ? [[]] : [[], ['--json']]) {
        const words = [...line.split(' '), ...more]
        const usual = await cli.run(...words)
        assert.equal(usual.status, line.startsWith('doctor') ? 1 : 0, line)
        const { status, err } = await cli.runIn({ device: failing('EPIPE') }, ...words)
        assert.deepEqual({ status, err }, { status: usual.status, err: usual.err }, line)
      }
    }
  })

  it('ends with 1 and a message where it only reads and the disk is full', async () => {
    const cli = await seeded()
    for (const line of reading) {
      const result = await cli.runIn({ device: failing('ENOSPC') }, ...line.split(' '))
      assert.equal(result.status, 1, line)
      assert.ok(result.err.endsWith(incomplete('ENOSPC')), `${line}: ${result.err}`)
    }
    const { err } = await cli.runIn({ device: failing('ENOSPC') }, 'status', '--json')
    assert.deepEqual(JSON.parse(errorOf({ status: 1, out: '', err })), {
      error: incomplete('ENOSPC').trim().replace('tenantctl: ', ''),
      status: 1,
    })
  })

  for (const code of ['EPIPE', 'ENOSPC']) {
    it(`ends with 1 and names the command that shows the change it made: ${code}`, async () => {
      const cli = await seeded()
      for (const line of changing) {
        queueFile(path.join(site, 'queue'), { tenant: 'a' })
        const result = await cli.runIn({ device: failing(code) }, ...line.split(' '))
        assert.equal(result.status, 1, line)
        const file = /^backup (.*)/.exec(line)?.[1]
        const told = incomplete(code, file === undefined ? AUDIT : `; ${file} is complete`)
        assert.ok(result.err.endsWith(told), `${line}: ${result.err}`)
      }
      // All of it was carried out.
      const audit = await cli.run('audit', '--json')
      for (const what of [
        'tenant added',
        'tenant removed',
        'queue dropped',
        'registry confirmed',
      ]) {
        assert.ok(audit.out.includes(what), `${what}: ${audit.out}`)
      }
    })

    it(`is not a valid backup, whatever line it is cut off at: ${code}`, async () => {
      const cli = await seeded()
      for (const pieces of [0, 1]) {
        const { status, err } = await cli.runIn({ device: failing(code, pieces) }, 'backup', '-')
        assert.equal(status, 1)
        assert.equal(errorOf({ status, out: '', err }), incomplete(code))
      }
    })
  }

  it('drops no mail that it could not show before the question', async () => {
    const cli = await seeded()
    queueFile(path.join(site, 'queue'), { tenant: 'contoso' })
    const world = { device: failing('EPIPE'), asks: true, stdin: 'y\n' }
    const words = ['--config', path.join(site, 'config'), 'queue', 'contoso', '--local']
    const { status, err } = await cli.runIn(world, ...words, 'drop')
    assert.equal(status, 1)
    assert.equal(errorOf({ status, out: '', err }), incomplete('EPIPE', AUDIT))
    assert.match((await cli.run(...words)).out, /\n1 message: 1 unregistered\n/)
  })

  it('ends a command that would follow forever', async () => {
    const cli = await seeded()
    const stream = new EventStream(new Store(redis.client(), new Keys(cli.prefix)))
    let ended = false
    const result = cli
      .runIn({ device: failing('EPIPE') }, 'events', '--follow')
      .finally(() => (ended = true))
    let count = 0
    await waitFor(async () => {
      const event = { kind: 'test', id: `evt_${++count}`, at: Date.now(), by: 'x' } as const
      await stream.publish('', event)
      return ended
    })
    assert.equal((await result).status, 0)
  })
})
