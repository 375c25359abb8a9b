// Hostile values in every place of every command: one clean line, and nothing but the named thing has changed.
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { Cli, errorOf, tenantctl } from '../cli/cli'
import { startRedis, type TestRedis } from '../support/redis'

const VALUES: readonly string[] = [
  // The shell's.
  ...[
    '',
    ' ',
    '-',
    '--',
    '-x',
    '--force',
    'a;b',
    '$(id)',
    '`id`',
    `a'b`,
    'a"b',
    'a|b',
    '../..',
    '%00',
    '\\0',
  ],
  // Ours, and Redis's.
  ...['*', '[a-z]', 'a?', 't1:{contoso}', '{@owners}:names', '@tenants', '@restricted', 'x}:usage'],
  ...[
    'contoso}:usage',
    '{contoso}',
    'contoso:domains',
    'contoso/mx',
    'automatic',
    'file:site-a',
    'default',
  ],
  // A terminal's, and what cannot be seen.
  ...[
    'a\tb',
    'a\nb',
    'a\r\nb',
    'a\x1b[31mb',
    '\0',
    'contoso\0',
    'a\x7fb',
    'a\x9b31mb',
    '\u202econtoso',
  ],
  ...['a\u2028b', '\ufeffcontoso', 'con\u200btoso', '\ud800'],
  // Look-alikes, and what is long.
  ...[
    'Contoso',
    'ｃｏｎｔｏｓｏ',
    'cöntoso',
    'соntoso',
    'x'.repeat(64),
    'x'.repeat(100_000),
    'ü'.repeat(5000),
  ],
  // JavaScript's, and numbers.
  ...[
    '__proto__',
    'constructor',
    'NaN',
    '1e9',
    '0x10',
    '1e9/1h',
    '0x10/1h',
    '-1/1h',
    '1/0s',
    '1/1h, 1/1h',
  ],
  ...[
    '99999999999999999999/1h',
    '1000000001/1h',
    '0/1h',
    '1/367d',
    'contoso.example',
    '192.0.2.10',
  ],
  ...[
    '::ffff:192.0.2.10',
    '0.0.0.0/0',
    '192.0.2.10/99',
    'a@b@c',
    '*@*',
    '*.com',
    '<>',
    '[192.0.2.1]',
  ],
]

/** The place of the value in a command line. */
const V = '\0value'

const PLACES: readonly (readonly string[])[] = [
  ...[[V], ['tenant', V], ['domain', V], ['connector', V]],
  ...[
    ['tenant', 'add', V],
    ['tenant', 'show', V],
    ['tenant', 'remove', V],
    ['tenant', 'list', V],
  ],
  ...['--name', '--limits', '--null-limits', '--mode'].flatMap((option) => [
    ['tenant', 'add', 'new', option, V],
    ['tenant', 'set', 'contoso', option, V],
  ]),
  ...[['tenant', 'set', V, '--name', 'x']],
  ...[
    ['domain', 'add', V, 'new.example'],
    ['domain', 'add', 'contoso', V],
  ],
  ...[
    ['domain', 'add', 'contoso', 'new.example', V, '--subdomains'],
    ['domain', 'add', 'contoso', V, '--shared'],
  ],
  ...[
    ['domain', 'remove', V, 'contoso.example'],
    ['domain', 'remove', 'contoso', V],
  ],
  ...[
    ['domain', 'move', V, 'fabrikam'],
    ['domain', 'move', 'contoso.example', V],
    ['domain', 'list', V],
  ],
  ...[
    ['connector', 'add', V, 'new', '--ip', '192.0.2.77'],
    ['connector', 'add', 'contoso', V, '--ip', '192.0.2.77'],
  ],
  ...['--ip', '--cert', '--cert-sha256', '--auth'].map((option) => [
    'connector',
    'add',
    'contoso',
    'new',
    option,
    V,
  ]),
  ...['remove', 'enable', 'disable'].flatMap((word) => [
    ['connector', word, V, 'mx'],
    ['connector', word, 'contoso', V],
  ]),
  ...[
    ['connector', 'list', V],
    ['status', V],
    ['restricted', V],
    ['doctor', V],
    ['apply', V],
    ['init', V],
  ],
  ...[
    ['block', V, '--reason', 'x'],
    ['block', 'contoso', '--reason', V],
    ['block', 'contoso', '--reason', 'x', '--by', V],
  ],
  ...[
    ['unblock', V, '--reason', 'x'],
    ['unblock', 'fabrikam', '--reason', V],
    ['unblock', 'fabrikam', '--reason', 'x', '--by', V],
  ],
  ...['--from', '--to', '--ip', '--auth', '--cert'].map((option) => [
    ...['explain', ...(option === '--from' ? [] : ['--from', 'a@lure.example'])],
    ...[option, V],
  ]),
]

/** What a terminal could take as a command, or a reader as another line. */
// eslint-disable-next-line no-control-regex
const UNCLEAN = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\p{Bidi_Control}]/u

describe('tenantctl', () => {
  let redis: TestRedis
  let client: Redis
  let cli: Cli
  let seeded: Map<string, Buffer>
  before(async () => {
    redis = await startRedis()
    client = redis.client()
    cli = new Cli(redis.url)
    await cli.given(
      ...['contoso', 'fabrikam'].flatMap((id, at) => [
        `tenant add ${id} --limits 5/1h`,
        `domain add ${id} ${id}.example`,
        `connector add ${id} mx --ip 192.0.2.${10 + at}`,
      ]),
      'block fabrikam --reason abuse',
    )
    seeded = await dump()
  })
  after(() => redis.stop())
  beforeEach(restore)

  async function dump(): Promise<Map<string, Buffer>> {
    const names = (await client.keys('*')).sort()
    const dumps = await Promise.all(names.map((name) => client.dumpBuffer(name)))
    return new Map(names.map((name, at) => [name, dumps[at]!]))
  }

  async function restore(): Promise<void> {
    await client.flushall()
    await Promise.all([...seeded].map(([name, value]) => client.call('RESTORE', name, '0', value)))
    // Redis packs some of it in another order.
    seeded = await dump()
  }

  /** Key → what it holds, an entry a line. */
  async function contents(): Promise<Map<string, Set<string>>> {
    const found = new Map<string, Set<string>>()
    for (const name of await client.keys('*')) {
      const type = await client.type(name)
      const entries =
        type === 'hash'
          ? Object.entries(await client.hgetall(name)).map((pair) => pair.join(' = '))
          : type === 'set'
            ? await client.smembers(name)
            : type === 'zset'
              ? await client.zrange(name, '0', '-1')
              : [(await client.get(name)) ?? '']
      found.set(name, new Set(entries))
    }
    return found
  }

  for (const place of PLACES) {
    it(`${place.map((word) => (word === V ? '…' : word)).join(' ')}`, async () => {
      for (const value of VALUES) {
        const args = place.map((word) => (word === V ? value : word))
        const shown = JSON.stringify(args).slice(0, 200)
        const { status, out, err } = await cli.run(...args)
        assert.ok([0, 1, 2, 3, 4].includes(status), `${shown}: ${status}`)
        assert.doesNotMatch(out, UNCLEAN, shown)
        assert.doesNotMatch(err, UNCLEAN, shown)
        assert.doesNotMatch(err, /unexpected/, shown)
        const now = await dump()
        if (status !== 0) {
          // doctor finds that there is no config directory, and says so on stdout.
          const lines = errorOf({ status, out, err }).split('\n')
          if (place[0] !== 'doctor' || status !== 1)
            assert.equal(lines.length, 2, `${shown}: ${err}`)
          // It takes long to compare what is the same.
          if (!sameDumps(now, seeded)) assert.deepEqual(now, seeded, shown)
        } else if (!sameDumps(now, seeded)) {
          assertOnlyNamed(await contents(), args, shown)
          await restore()
        }
      }
    })
  }

  let first: Map<string, Set<string>> | undefined

  function sameDumps(one: Map<string, Buffer>, other: Map<string, Buffer>): boolean {
    if (one.size !== other.size) return false
    return [...one].every(([name, value]) => other.get(name)?.equals(value))
  }

  beforeEach(async () => {
    first ??= await contents()
  })

  /** Only keys of tenants that the command names, and their entries in what is shared, are others than before. */
  function assertOnlyNamed(now: Map<string, Set<string>>, args: readonly string[], shown: string) {
    for (const name of new Set([...now.keys(), ...first!.keys()])) {
      const [, tag = ''] = /^t\d+:\{([a-z0-9@][a-z0-9._-]{0,62})\}(?::[a-z]+)?$/.exec(name) ?? []
      assert.notEqual(tag, '', `${shown} wrote ${name}`)
      const [is, was] = [now.get(name) ?? new Set<string>(), first!.get(name) ?? new Set<string>()]
      const changed = [...is, ...was].filter((entry) => !is.has(entry) || !was.has(entry))
      if (changed.length === 0 || /:(?:token|version)$/.test(name)) continue
      if (args[0] === 'init' && name.endsWith(':epoch')) continue
      if (!tag.startsWith('@'))
        assert.ok(args.includes(tag) || moves(args, tag), `${shown} changed ${name}`)
      else {
        for (const entry of changed) {
          const words = args.flatMap((arg) => [
            arg,
            arg.toLowerCase(),
            arg.split('.').reverse().join('.'),
          ])
          assert.ok(
            words.some((word) => word !== '' && entry.includes(word)),
            `${shown} changed ${entry} in ${name}`,
          )
        }
      }
    }
  }

  /** A domain that is moved leaves its tenant. */
  function moves(args: readonly string[], tag: string): boolean {
    return args[1] === 'move' && args[2] === `${tag}.example`
  }

  it('--prefix of any kind: what is written has it, and nothing else is touched', async () => {
    for (const prefix of VALUES) {
      const args = ['--redis', redis.url, '--prefix', prefix, 'tenant', 'add', 'other']
      const { status, err } = await tenantctl(args)
      assert.ok([0, 2].includes(status), `${JSON.stringify(prefix)}: ${err}`)
      assert.doesNotMatch(err, UNCLEAN)
      const now = await dump()
      for (const [name, value] of seeded) assert.ok(now.get(name)?.equals(value), name)
      const others = [...now.keys()].filter((name) => !seeded.has(name))
      if (status === 2) assert.deepEqual(others, [])
      else
        assert.ok(
          others.every((name) => name.startsWith(`${prefix}{`)),
          others.join(),
        )
      await restore()
    }
  })

  it('the name of a caller that is none is not taken over', async () => {
    for (const name of ['a\tb', 'automatic', 'file:x', 'x'.repeat(101), '\u202eann']) {
      const world = { env: { SUDO_USER: name } }
      const { status } = await cli.runIn(world, 'unblock', 'fabrikam', '--reason', 'cleaned')
      assert.equal(status, 0)
      const lifted = (await client.hget(`${cli.prefix}{fabrikam}`, 'lifted')) ?? ''
      const [time, by = '', reason, ...rest] = lifted.split('\t')
      assert.match(time ?? '', /^\d+$/)
      assert.deepEqual([reason, rest], ['cleaned', []])
      assert.ok(by !== name && by !== '', by)
      await restore()
    }
  })

  it('ever so many names on stdin are read, whatever they are', async () => {
    const MANY = 300_000
    const same = 'contoso.example\r\n'.repeat(MANY)
    const again = await cli.runIn({ stdin: same }, 'domain', 'add', 'contoso', '-')
    assert.equal(again.status, 0, again.err)
    for (const stdin of [
      `${same}a\0b.example\n`,
      '\0'.repeat(MANY),
      '\n# x'.repeat(MANY),
      'x'.repeat(MANY),
      Array.from({ length: 200_000 }, (_, at) => `d${at}.example`).join('\r') + '\n*\n',
    ]) {
      const result = await cli.runIn({ stdin }, 'domain', 'add', 'contoso', '-')
      const { status, err } = result
      assert.equal(status, 2)
      assert.doesNotMatch(err, UNCLEAN)
      assert.equal(errorOf(result).split('\n').length, 2)
    }
    assert.deepEqual(await dump(), seeded)
  })
})
