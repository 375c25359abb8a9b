import assert from 'node:assert/strict'
import { createServer, type AddressInfo, type Server } from 'node:net'
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Command } from 'commander'
import { writeLines } from '../../src/registry-file/write-file'
import type { Header } from '../../src/registry-file/format'
import { createProgram } from '../../src/cli/program'
import { processIo } from '../../src/cli/kit/io'
import { scratchDir } from '../../scripts/services/scratch'
import { withoutRights, canDropRights } from '../support/without-rights'
import { startRedis, type TestRedis } from '../support/redis'
import { Cli, errorOf, leaves, tenantctl } from './cli'

const EMPTY: Header = {
  kind: 'backup',
  prefix: 'ud:',
  epoch: '',
  schema: '1.0',
  createdAt: 0,
  omitted: 0,
}

const AWAY = ['--redis', 'redis://127.0.0.1:1']

describe('tenantctl', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  describe('help', () => {
    it('prints its version', async () => {
      const { version } = JSON.parse(
        readFileSync(path.resolve(__dirname, '../../package.json'), 'utf8'),
      ) as { version: string }
      assert.deepEqual(await tenantctl(['--version']), { status: 0, out: `${version}\n`, err: '' })
    })

    for (const command of commandsOf(createProgram(processIo(), () => {}))) {
      it(`of ${command.join(' ') || 'the whole'} has examples and exit statuses`, async () => {
        const { status, out, err } = await tenantctl([...command, '--help'])
        assert.equal(status, 0)
        assert.equal(err, '')
        assert.match(out, /^Examples:\n {2}\$ tenantctl \S/m)
        assert.match(out, /exit status/i)
        assert.match(out, /--json/)
      })
    }

    it('of every command that prints JSON names the fields', async () => {
      for (const command of leaves()) {
        const { out } = await tenantctl([...command.split(' '), '--help'])
        assert.match(out, /^With --json:\n {2}\S/m, command)
      }
      const { out } = await tenantctl(['explain', '--help'])
      assert.match(out, /verdict: pass \| charge .*\| refuse \| tempfail \| ignore/)
    })
  })

  describe('usage errors end with 2 and one line that names the help', () => {
    for (const [line, help] of [
      ['tenant', 'tenantctl tenant --help'],
      ['tenant ad x', 'tenantctl tenant --help'],
      ['tenant add', 'tenantctl tenant add --help'],
      ['domain add contoso', 'tenantctl domain add --help'],
      ['status a b', 'tenantctl status --help'],
      ['status --frequency', 'tenantctl status --help'],
      ['tenant list --config', 'tenantctl tenant list --help'],
      ['block contoso', 'tenantctl block --help'],
      ['explain', 'tenantctl explain --help'],
    ] as const) {
      it(line, async () => {
        const { status, out, err } = await tenantctl(line.split(' '))
        assert.equal(status, 2)
        assert.equal(out, '')
        assert.match(err, /^tenantctl: [^\n]+\n$/)
        assert.ok(err.endsWith(`; see ${help}\n`), err)
      })
    }

    it('after the help, where no command is given at all', async () => {
      const { status, out, err } = await tenantctl([])
      assert.equal(status, 2)
      assert.equal(out, (await tenantctl(['--help'])).out)
      assert.equal(err, 'tenantctl: a command is missing; see tenantctl --help\n')
    })

    it('as JSON with --json', async () => {
      const { err, status } = await tenantctl(['tenant', 'add', '--json'])
      assert.equal(status, 2)
      assert.deepEqual(JSON.parse(err), {
        error: "missing required argument 'id'; see tenantctl tenant add --help",
        status: 2,
      })
    })
  })

  describe('global options', () => {
    it('work before and after the command', async () => {
      const cli = new Cli(redis.url)
      const options = ['--redis', redis.url, '--prefix', cli.prefix, '--json', '--by', 'bob']
      assert.equal((await tenantctl([...options, 'tenant', 'add', 'contoso'])).status, 0)
      const { out } = await tenantctl(['tenant', 'show', 'contoso', ...options])
      assert.equal((JSON.parse(out) as { source: string }).source, 'bob')
    })

    it('--by defaults to the caller of sudo, else the user of the process', async () => {
      const cli = new Cli(redis.url)
      await cli.runIn({ env: { SUDO_USER: 'ann' } }, 'tenant', 'add', 'a')
      await cli.runIn({ env: {} }, 'tenant', 'add', 'b')
      const list = (await cli.json('tenant', 'list')) as { source: string }[]
      assert.deepEqual(
        list.map(({ source }) => source),
        ['ann', userInfo().username],
      )
    })

    it('--by refuses reserved names', async () => {
      const cli = new Cli(redis.url)
      const reserved = ['automatic', 'file:site', 'web:ann', 'console:ann', 'tenant:contoso']
      for (const by of ['', ' ', ...reserved, 'a\nb', 'x'.repeat(101)]) {
        const result = await cli.run('--by', by, 'tenant', 'add', 'contoso')
        assert.equal(result.status, 2, by)
        assert.match(errorOf(result), /--by/)
      }
    })

    it('work with commands that only read, and every command refuses a wrong --by', async () => {
      const cli = new Cli(redis.url)
      await cli.given('tenant add contoso')
      for (const line of [
        ...['status', 'status contoso', 'report', 'report contoso --by domain', 'restricted'],
        ...[
          'unattributed',
          'unusual',
          'events',
          'audit',
          'nodes',
          'tenant list',
          'domain list contoso',
        ],
        ...['connector list', 'case list', 'suggest contoso', 'tenant show contoso'],
        'top --once',
        'incident contoso',
        'explain --from ann@lure.example --ip 192.0.2.10',
      ]) {
        const command = line.split(' ')
        const taken = await cli.run('--by', 'bob', ...command)
        assert.equal(taken.status, 0, `${line}: ${taken.err}`)
        const { err, status } = await cli.run('--by', 'automatic', ...command)
        assert.equal(status, 2, line)
        assert.match(err, /--by "automatic" is reserved/, line)
      }
    })

    it('--by after report selects the rows, and before it names the caller', async () => {
      const cli = new Cli(redis.url)
      const { by } = (await cli.json('--by', 'domain', 'report', '--by', 'hour')) as {
        by: string[]
      }
      assert.deepEqual(by, ['hour'])
      assert.equal((await cli.run('report', '--by', 'bob')).status, 2)
      const help = await tenantctl(['report', '--help'])
      assert.match(help.out, /--by <what>/)
      assert.doesNotMatch(help.out, /--by <name>/)
    })

    it('use the last value of an option given twice', async () => {
      const cli = new Cli(redis.url)
      await cli.given('tenant add contoso')
      const of = ['--redis', redis.url, '--json', '--prefix']
      const { out } = await tenantctl([...of, 'other:', 'tenant', 'list', '--prefix', cli.prefix])
      assert.equal((JSON.parse(out) as unknown[]).length, 1)
    })

    it('--redis accepts a database and refuses an invalid URL', async () => {
      const cli = new Cli(`${redis.url}/3`)
      await cli.given('tenant add contoso')
      assert.equal(await redis.client({ db: 3 }).exists(`${cli.prefix}{contoso}`), 1)
      for (const url of ['localhost:6379', 'http://127.0.0.1', 'redis://127.0.0.1/x', 'redis:']) {
        const { status, err } = await tenantctl(['--redis', url, 'status'])
        assert.equal(status, 2, url)
        assert.match(err, /--redis/)
      }
    })

    it('--prefix separates installations, and may not break the hash tags', async () => {
      const [one, two] = [new Cli(redis.url), new Cli(redis.url)]
      await one.given('tenant add contoso')
      assert.deepEqual(await two.json('tenant', 'list'), [])
      const { status } = await tenantctl(['--redis', redis.url, '--prefix', 'a{b}', 'status'])
      assert.equal(status, 2)
    })
  })

  describe('the config directory', () => {
    let root: string
    before(() => {
      root = mkdtempSync(path.join(tmpdir(), 'tenantctl-'))
      for (const site of ['site', 'other', 'bare']) {
        mkdirSync(path.join(root, site, 'config'), { recursive: true })
      }
      for (const site of ['site', 'other']) {
        writeFileSync(
          path.join(root, site, 'config', 'unregistered-domain.ini'),
          `[redis]\nport=${redis.port}\nprefix=${site}:\n`,
        )
      }
    })
    after(() => rmSync(root, { recursive: true }))

    const add = async (tenant: string, cwd: string, harakaSite?: string, ...more: string[]) => {
      const env = harakaSite === undefined ? {} : { HARAKA: path.join(root, harakaSite) }
      const world = { cwd: path.join(root, cwd), env }
      return tenantctl([...more, 'tenant', 'add', tenant], world)
    }
    const has = (site: string, tenant: string): Promise<number> =>
      redis.client().exists(`${site}:{${tenant}}`)

    it('is $HARAKA/config, then ./config, unless it is named', async () => {
      const first = await add('a', 'site')
      assert.deepEqual(
        { ...first, err: errorOf(first) },
        { status: 0, out: 'added tenant a\n', err: '' },
      )
      await add('b', '.', 'other')
      await add('c', 'site', 'other')
      await add('d', 'site', 'bare')
      await add('e', 'site', 'other', '--config', '../site/config')
      const found = [
        ...[has('site', 'a'), has('other', 'b'), has('other', 'c')],
        ...[has('site', 'd'), has('site', 'e')],
      ]
      assert.deepEqual(await Promise.all(found), [1, 1, 1, 1, 1])
    })

    it('must exist, else the status is 2', async () => {
      const none = await add('e', '.')
      assert.equal(none.status, 2)
      assert.match(none.err, /^tenantctl: there is no \S+config: [^\n]*--config DIR[^\n]*\n$/)
      const absent = await add('e', '.', undefined, '--config', 'absent')
      assert.equal(absent.status, 2)
      assert.match(absent.err, /"absent" is not a directory/)
    })

    it('without our ini file gives the shipped defaults, and says so', async () => {
      const { err } = await add('e', 'bare', undefined, '--redis', redis.url, '--config', 'config')
      assert.match(err, /^tenantctl: \S+bare\/config has no unregistered-domain\.ini: the shipped/)
      const only = await tenantctl(['--redis', redis.url, 'status'])
      assert.match(only.err, /^tenantctl: --redis without --config: the shipped defaults/)
    })

    it('above the one with our ini file: nothing is written, and the right --config is shown', async () => {
      const above = path.join(root, 'site')
      const options = ['--config', above, '--redis', redis.url, '--prefix', 'above:']
      const meant = `did you mean --config ${path.join(above, 'config')}?`
      for (const line of [
        'tenant add a',
        'block a --reason x',
        'init',
        'init --force',
        'purge --all',
      ]) {
        const { status, err } = await tenantctl([...options, ...line.split(' ')])
        assert.equal(status, 2, line)
        assert.ok(err.includes(meant), `${line}: ${err}`)
      }
      assert.deepEqual(await redis.client().keys('above:*'), [])
      const { status, err } = await tenantctl([...options, 'tenant', 'list'])
      assert.equal(status, 0)
      assert.match(
        err,
        /site has no unregistered-domain\.ini: the shipped defaults are in effect; /,
      )
      assert.ok(err.includes(meant), err)
    })
  })

  describe('a Redis without a registry', () => {
    const words = ['tenant', 'add', 'contoso']
    const held = async ({ prefix }: Cli): Promise<number> =>
      (await redis.client().keys(`${prefix}*`)).length

    it('is named before a command begins one there, and only then', async () => {
      const cli = new Cli(redis.url)
      const first = await cli.run(...words)
      assert.equal(first.status, 0)
      assert.ok(
        first.err.endsWith(
          `tenantctl: Redis at 127.0.0.1:${redis.port}, database 0, prefix "${cli.prefix}" holds no registry: this command begins one there\n`,
        ),
        first.err,
      )
      assert.doesNotMatch((await cli.run('tenant', 'add', 'b')).err, /holds no registry/)
    })

    it('gets none where the person at the terminal says no', async () => {
      const cli = new Cli(redis.url)
      const refused = await cli.runIn({ asks: true, stdin: 'n\n' }, ...words)
      assert.equal(refused.status, 4)
      assert.match(refused.err, /Is that the right place\? \[y\/N\] tenantctl: nothing was written/)
      assert.equal(await held(cli), 0)
      assert.equal((await cli.runIn({ asks: true, stdin: 'y\n' }, ...words)).status, 0)
      const later = await cli.runIn({ asks: true }, 'tenant', 'add', 'b')
      assert.deepEqual([later.status, errorOf(later)], [0, ''])
    })

    it('is named by restore too', async () => {
      const backup = path.join(scratchDir('restore'), 'backup.jsonl')
      await writeLines(backup, EMPTY, [])
      const cli = new Cli(redis.url)
      const { status, err } = await cli.run('restore', backup)
      assert.equal(status, 0, err)
      assert.ok(err.includes(`prefix "${cli.prefix}" holds no registry: this command begins one`))
    })

    it('gets one by init, which says where and asks nothing', async () => {
      const cli = new Cli(redis.url)
      const { status, out } = await cli.runIn({ asks: true }, 'init')
      assert.equal(status, 0)
      assert.match(
        out,
        /^a registry has begun in Redis at \S+, database 0, prefix "t\d+:": 0 tenants/,
      )
      assert.equal((await cli.runIn({ asks: true }, ...words)).status, 0)
    })
  })

  describe(
    './config that others can change',
    { skip: !canDropRights && 'only root can give files away' },
    () => {
      const STRANGER = 65_534
      const SECRET = 'only-root-may-read-this'
      let root: string
      let config: string
      let ini: string
      let theirs: Server
      let heard: string
      before(async () => {
        theirs = createServer((socket) => {
          socket.on('data', (octets) => (heard += octets.toString()))
          socket.on('error', () => {})
          socket.end('-ERR no\r\n')
        })
        await new Promise<void>((resolve) => theirs.listen(0, '127.0.0.1', resolve))
      })
      after(() => theirs.close())
      beforeEach(() => {
        heard = ''
        root = scratchDir('stranger')
        // The directories above must be open to other users.
        chmodSync(path.dirname(root), 0o755)
        chmodSync(root, 0o755)
        config = path.join(root, 'site/config')
        mkdirSync(config, { recursive: true })
        ini = path.join(config, 'unregistered-domain.ini')
        const { port } = theirs.address() as AddressInfo
        writeFileSync(path.join(root, 'secret'), SECRET, { mode: 0o600 })
        writeFileSync(
          ini,
          `[redis]\nport=${port}\nusername=x\npassword_file=${path.join(root, 'secret')}\n`,
        )
      })

      const give = (...places: string[]): void =>
        places.forEach((place) => lchownSync(place, STRANGER, STRANGER))

      async function refused(cwd: string, reason: string, ...words: string[]): Promise<void> {
        const { status, out, err } = await tenantctl(words, { cwd })
        assert.deepEqual([status, out, heard], [2, '', ''])
        const directory = path.join(cwd, 'config')
        assert.equal(
          err,
          `tenantctl: ${directory} is not used unless it is named: ${reason}, so that others could make tenantctl read your files and send them elsewhere; if you trust them, add --config ${directory}\n`,
        )
      }

      it('is not used where others can change any part of it: 2, and the option that allows it', async () => {
        const site = path.dirname(config)
        for (const place of [site, config, ini]) {
          give(place)
          await refused(site, `${place} belongs to uid ${STRANGER}`, 'status')
          await refused(site, `${place} belongs to uid ${STRANGER}`, 'doctor')
          chownSync(place, 0, 0)
          const mode = statSync(place).mode & 0o777
          chmodSync(place, mode | 0o020)
          const told = (mode | 0o020).toString(8).padStart(4, '0')
          await refused(site, `${place} is writable for others (mode ${told})`, 'status')
          chmodSync(place, mode)
        }
      })

      it('is not used where a link of other users leads to it, or from it to their files', async () => {
        const site = path.join(root, 'linked')
        mkdirSync(site)
        symlinkSync(config, path.join(site, 'config'))
        give(path.join(site, 'config'))
        await refused(site, `${path.join(site, 'config')} belongs to uid ${STRANGER}`, 'status')
        lchownSync(path.join(site, 'config'), 0, 0)
        give(config)
        await refused(site, `${config} belongs to uid ${STRANGER}`, 'status')
      })

      it('is not used without an ini file either, since it locates the queue', async () => {
        rmSync(ini)
        give(config)
        const site = path.dirname(config)
        await refused(site, `${config} belongs to uid ${STRANGER}`, 'queue', 'contoso', '--local')
      })

      it('is used where it is named, but an ini file of other users can name only their files', async () => {
        give(config, ini)
        for (const [args, env] of [
          [['--config', config], {}],
          [[], { HARAKA: path.dirname(config) }],
        ] as const) {
          const world = { cwd: '/', env }
          const { status, err } = await tenantctl([...args, 'status'], world)
          assert.deepEqual([status, heard], [2, ''])
          assert.match(
            err,
            /password_file: \S+\/secret belongs to uid 0, and the ini file that names it to uid 65534: /,
          )
          assert.doesNotMatch(err, new RegExp(SECRET))
          give(path.join(root, 'secret'))
          assert.equal((await tenantctl([...args, 'status'], world)).status, 1)
          assert.match(heard, new RegExp(SECRET))
          heard = ''
          chownSync(path.join(root, 'secret'), 0, 0)
        }
        // `doctor` reports it too, and asks no Redis.
        const { status, out } = await tenantctl(['--config', config, 'doctor'])
        assert.equal(status, 1)
        assert.match(
          out,
          /^fail {2}config: \S+\.ini:\d+: \[redis\] password_file: \S+ belongs to uid 0, /m,
        )
        assert.equal(heard, '')
      })

      it('does not restore a snapshot file of another owner than the ini file', async () => {
        const snapshot = path.join(root, 'backup.jsonl')
        await writeLines(snapshot, EMPTY, [])
        writeFileSync(ini, `[redis]\nport=${redis.port}\n[outage]\nsnapshot=${snapshot}\n`)
        give(ini)
        const restore = ['--config', config, 'restore', '--from-snapshot']
        const { status, err } = await tenantctl(restore)
        assert.equal(status, 2)
        assert.match(
          err,
          /backup\.jsonl belongs to uid 0, and the ini file that names it to uid 65534/,
        )
        give(snapshot)
        assert.doesNotMatch((await tenantctl(restore)).err, /belongs to uid/)
      })

      it('is used by its owner', async () => {
        give(root, path.dirname(config), config, ini, path.join(root, 'secret'))
        const world = { cwd: path.dirname(config) }
        const { status } = await withoutRights(() => tenantctl(['status'], world))
        assert.equal(status, 1)
        assert.match(heard, new RegExp(SECRET))
      })
    },
  )

  describe('Redis away', () => {
    let silent: Server
    before(
      () =>
        new Promise<void>((resolve) => {
          silent = createServer(() => {}).listen(0, '127.0.0.1', resolve)
        }),
    )
    after(() => silent.close())

    it('refused: every command ends with 1 at once, and names the address and what to do', async () => {
      const file = path.join(mkdtempSync(path.join(tmpdir(), 'tenantctl-')), 'tenants.yaml')
      writeFileSync(file, 'id: site\ntenants:\n  contoso: {}\n')
      const backup = path.join(path.dirname(file), 'backup.jsonl')
      await writeLines(backup, EMPTY, [])
      const config = path.join(path.dirname(file), 'config')
      mkdirSync(config)
      mkdirSync(path.join(path.dirname(file), 'queue'))
      writeFileSync(path.join(config, 'unregistered-domain.ini'), '[main]\nmode=enforce\n')
      const lines = [
        'tenant add a',
        'tenant set a --mode off',
        'tenant show a',
        'tenant list',
        'tenant detach a',
        'tenant remove a',
        'domain add a a.example',
        'domain remove a a.example',
        'domain set a a.example --subdomains',
        'domain move a.example a',
        'domain show a.example',
        'domain list a',
        'connector add a mx --ip 192.0.2.1',
        'connector remove a mx',
        'connector enable a mx',
        'connector disable a mx',
        'connector block a mx --reason test',
        'connector unblock a mx --reason test',
        'connector show a mx',
        'connector set a mx --add-ip 192.0.2.2',
        'connector find 192.0.2.1',
        'find contoso',
        'connector list',
        'status',
        'top --once',
        'restricted',
        'report a',
        'unattributed',
        'evidence a',
        'evidence a --for-tenant',
        'unusual',
        'nodes',
        'nodes forget mx1',
        'alert test',
        'alert contacts',
        'alert contacts send',
        'alert snooze a --kind unusual --for 1d --reason b',
        'alert unsnooze a',
        'block a --reason b',
        'unblock a --reason b',
        'unblock --since 2026-01-01 --reason b',
        'explain --from x@a.example',
        'audit',
        'case list',
        'case show a:1',
        'case take a:1',
        'case release a:1',
        'case note a:1 b',
        'case check a:1 proof servers --note b',
        'case close a:1 --note b',
        'events',
        'metrics --once',
        'enforcement pause --reason b',
        'enforcement resume --reason b',
        'enforcement status',
        `queue a --config ${config}`,
        'suggest a',
        'suggest a --why --all',
        'incident a',
        `apply ${file}`,
        `backup ${backup}`,
        `restore ${backup}`,
        'registry status',
        'registry restore-known --reason b',
        'registry accept-redis --reason b',
        'init',
        'init --force',
        'purge --all --backup x',
      ]
      // doctor goes on, and reports it in a line; a console is asked without Redis.
      const all = leaves().filter((command) => !command.startsWith('console '))
      const tried = all.filter((command) => lines.some((line) => line.startsWith(command)))
      assert.deepEqual([...tried, 'completion', 'doctor'].sort(), all.sort())
      for (const line of lines) {
        const { status, out, err } = await tenantctl([...AWAY, ...line.split(' ')])
        assert.equal(status, 1, line)
        assert.equal(out, '')
        assert.match(
          errorOf({ status, out, err }),
          /^tenantctl: Redis at 127\.0\.0\.1:1 is not there: [^\n]+: start it[^\n]+\n$/,
        )
      }
      rmSync(path.dirname(file), { recursive: true })
    })

    it('as JSON', async () => {
      const result = await tenantctl([...AWAY, '--json', 'status'])
      const { error, status } = JSON.parse(errorOf(result)) as { error: string; status: number }
      assert.match(error, /127\.0\.0\.1:1/)
      assert.equal(status, 1)
    })

    it('silent: ends with 1 after a limited wait', async () => {
      const { port } = silent.address() as { port: number }
      const result = await tenantctl(['--redis', `redis://127.0.0.1:${port}`, 'status'])
      assert.equal(result.status, 1)
      assert.match(errorOf(result), /did not answer in time/)
    })

    it('with a wrong password: ends with 1', async () => {
      const locked = await startRedis({ args: ['--requirepass', 'secret'] })
      try {
        for (const user of ['', ':wrong@']) {
          const url = `redis://${user}127.0.0.1:${locked.port}`
          const result = await tenantctl(['--redis', url, 'status'])
          assert.equal(result.status, 1)
          assert.match(errorOf(result), /check username and password/)
          assert.doesNotMatch(errorOf(result), /wrong@/)
        }
        const url = `redis://:secret@127.0.0.1:${locked.port}`
        assert.equal((await tenantctl(['--redis', url, 'status'])).status, 0)
      } finally {
        await locked.stop()
      }
    })

    it('that refuses the command: ends with 1 and the words of Redis', async () => {
      const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(redis.port)] })
      try {
        const result = await tenantctl(['--redis', replica.url, 'tenant', 'add', 'contoso'])
        assert.equal(result.status, 1)
        assert.match(
          errorOf(result),
          /^tenantctl: Redis at \S+ is a replica [^\n]+ \(READONLY\): name the primary [^\n]+\n$/,
        )
      } finally {
        await replica.stop()
      }
    })
  })
})

/** Every command, as the words that call it. */
function commandsOf(command: Command, words: string[] = []): string[][] {
  return [words, ...command.commands.flatMap((each) => commandsOf(each, [...words, each.name()]))]
}
