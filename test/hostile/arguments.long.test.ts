// Hostile values in every place of every command: the output is one clean line, and only the named object changes.
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import path from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { Keys } from '../../src/store/keys'
import { Cli, errorOf, tenantctl } from '../cli/cli'
import { entriesFor, fieldsOf, type Expected } from '../support/audit-model'
import { contentsOf, type Contents } from '../support/contents'
import { startRedis, type TestRedis } from '../support/redis'
import { runs, SEED } from '../support/seed'
import { scratchDir } from '../../scripts/services/scratch'

/** Each value comes in every sixth place, in other places each run; with `RUNS=125` all come everywhere. */
function valuesOf(place: number): readonly string[] {
  if (runs(0) >= VALUES.length) return VALUES
  return VALUES.filter((_value, at) => (at + place + SEED) % 6 === 0)
}

const VALUES: readonly string[] = [
  // Syntax of the shell.
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
  // Our syntax, and that of Redis.
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
  ...['t1:{contoso}:audit', '{@tenants}:audit', 't1:{fabrikam}:case:1', '{@events}', 'evt_0'],
  ...['fabrikam', 'fabrikam:1', ' fabrikam:1', 'fabrikam:1\n', 'fabrikam:01', 'fabrikam:0'],
  ...['northwind:1', 'fabrikam:1:evidence', 'fabrikam:1e0', ':1', 'contoso:1', 'tailspin'],
  ...['domain=*', 'connector^=', 'ip=', 'user=a\tb', '{"id":"evt_0"}', '","to":"x', '(other)'],
  // Control characters of a terminal, and invisible ones.
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
  // Look-alikes and long texts.
  ...[
    'Contoso',
    'ｃｏｎｔｏｓｏ',
    'cöntoso',
    'соntoso',
    'x'.repeat(64),
    'x'.repeat(100_000),
    'ü'.repeat(5000),
  ],
  // Names in JavaScript, and numbers.
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
    'gmail.com',
    'ann@contoso.example',
    'ann@fabrikam.example\r\nBcc: x@y.example',
  ],
  // Times and steps.
  ...['0s', '36h', '9999999999d', '2026-02-30', '-1', '1.5', 'hour', 'servers', 'Servers'],
]

/** The place of the value in a command line, as a word or a part of one. */
const V = '\0value'

const PLACES: readonly (readonly string[])[] = [
  ...[[V], ['tenant', V], ['domain', V], ['connector', V]],
  ...[
    ['tenant', 'add', V],
    ['tenant', 'show', V],
    ['tenant', 'remove', V],
    ['tenant', 'list', V],
    ['tenant', 'detach', V],
    ['tenant', 'detach', V, '--undo'],
    ['tenant', 'add', 'new', '--by', V],
    ['tenant', 'remove', V, '--purge'],
    ['tenant', 'remove', 'contoso', '--by', V],
    ['tenant', 'remove', 'contoso', '--purge', '--by', V],
    ['tenant', 'remove', 'tailspin', '--purge', '--by', V],
  ],
  ...['--name', '--limits', '--null-limits', '--mode', '--contact'].flatMap((option) => [
    ['tenant', 'add', 'new', option, V],
    ['tenant', 'set', 'contoso', option, V],
  ]),
  ...[['tenant', 'set', V, '--name', 'x']],
  ['tenant', 'set', V, '--limits', '5/1h', '--for', '3d'],
  ['tenant', 'set', 'contoso', '--limits', V, '--for', '3d'],
  ['tenant', 'set', 'contoso', '--limits', '5/1h', '--for', V],
  ...[
    ['domain', 'add', V, 'new.example'],
    ['domain', 'add', 'contoso', V],
  ],
  ...[
    ['domain', 'add', 'contoso', 'new.example', V, '--subdomains'],
    ['domain', 'add', 'contoso', V, '--shared'],
    ['domain', 'add', 'contoso', V, '--force'],
    ['domain', 'add', V, 'gmail.com', '--force'],
  ],
  ...[
    ['domain', 'remove', V, 'contoso.example'],
    ['domain', 'remove', 'contoso', V],
  ],
  ...[
    ['domain', 'move', V, 'fabrikam'],
    ['domain', 'move', 'contoso.example', V],
    ['domain', 'list', V],
    ['domain', 'show', V],
    ['domain', 'set', V, 'contoso.example', '--subdomains'],
    ['domain', 'set', 'contoso', V, '--no-subdomains'],
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
  ...['--add-ip', '--add-cert', '--remove-cert-sha256', '--remove-auth'].flatMap((option) => [
    ['connector', 'set', 'contoso', 'mx', option, V],
    ['connector', 'set', V, 'mx', option, '192.0.2.77'],
  ]),
  ...['remove', 'enable', 'disable', 'show'].flatMap((word) => [
    ['connector', word, V, 'mx'],
    ['connector', word, 'contoso', V],
  ]),
  ['connector', 'find', V],
  ...[
    ['block', 'contoso'],
    ['unblock', 'northwind'],
  ].flatMap(([word, tenant]) => [
    ['connector', word!, V, 'mx', '--reason', 'x'],
    ['connector', word!, tenant!, V, '--reason', 'x'],
    ['connector', word!, tenant!, 'mx', '--reason', V],
    ['connector', word!, tenant!, 'mx', '--reason', 'x', '--by', V],
  ]),
  ...[
    ['connector', 'list', V],
    ['find', V],
    ['status', V],
    ['top', '--once', '--interval', V],
    ['restricted', V],
    ['doctor', V],
    ['metrics', '--once', V],
    ['metrics', '--listen', V],
    ['console', 'link', '--role', V],
    ['console', 'sessions', 'revoke', V],
    ['apply', V],
    ['backup', V],
    ['restore', V],
    ['restore', V, '--force'],
    ['restore', V, '--tenant', 'contoso'],
    ['purge', V],
    ['purge', '--all', '--backup', 'b.jsonl', '--yes', V],
    ['init', V],
  ],
  ...[
    ['block', V, '--reason', 'x'],
    ['block', 'contoso', '--reason', V],
    ['enforcement', 'pause', '--reason', V],
    ['enforcement', 'pause', '--reason', 'x', '--for', V],
    ['enforcement', 'resume', '--reason', V],
    ['enforcement', 'status', V],
    ['block', 'contoso', '--reason', 'x', '--by', V],
    ['block', 'fabrikam', '--all', '--reason', V],
  ],
  ...[
    ['unblock', V, '--reason', 'x'],
    ['unblock', 'fabrikam', '--reason', V],
    ['unblock', 'fabrikam', '--reason', 'x', '--by', V],
    ['unblock', '--since', V, '--reason', 'x', '--yes'],
    ['alert', 'contacts', V],
    ['unblock', '--since', '2026-01-01', '--reason', V],
    ['unblock', 'fabrikam', '--reason', V, '--force'],
    ['unblock', 'fabrikam', '--reason', 'x', '--force', V],
    ['unblock', 'fabrikam', '--reason', 'x', '--limits', V, '--for', '7d'],
    ['unblock', 'fabrikam', '--reason', 'x', '--limits', '5/1h', '--for', V],
    ['unblock', 'fabrikam', '--reason', V, '--limits', '5/1h', '--for', '7d'],
  ],
  ...[
    ['case', V],
    ['case', 'list', V],
    ['case', 'list', V, '--all'],
    ['case', 'show', V],
    ['case', 'show', `fabrikam:${V}`],
  ],
  ...[
    ['case', 'take', V],
    ['case', 'take', 'fabrikam:1', '--by', V],
    ['case', 'release', V],
    ['case', 'note', V, 'x'],
    ['case', 'note', 'fabrikam:1', V],
    ['case', 'note', 'fabrikam:1', 'x', '--by', V],
  ],
  ...[
    ['case', 'check', V, 'servers', '--note', 'x'],
    ['case', 'check', 'fabrikam:1', V, '--note', 'x'],
    ['case', 'check', 'fabrikam:1', 'proof', V, '--note', 'x'],
    ['case', 'check', 'fabrikam:1', 'servers', '--note', V],
    ['case', 'check', 'fabrikam:1', 'servers', '--note', 'x', '--by', V],
  ],
  ...[
    ['case', 'close', V, '--note', 'x'],
    ['case', 'close', 'northwind:1', '--note', V],
    ['case', 'close', 'northwind:1', '--note', 'x', '--by', V],
  ],
  ...[
    ['report', V],
    ['report', V, '--csv'],
    ['unattributed', V],
    ['events', V],
    ['evidence', V],
    ['evidence', V, '--for-tenant'],
    ['unusual', V],
    ['nodes', V],
    ['nodes', 'forget', V],
    ['suggest', V],
    ['incident', V],
    ['incident', `contoso:${V}`],
    ['audit', V],
    ...['--who', '--what', '--from', '--to'].map((option) => ['audit', option, V]),
    ['audit', '--who', V, '--csv'],
    ...['status', 'tenant list'].flatMap((line) =>
      ['--filter', '--sort', '--limit', '--color'].map((option) => [...line.split(' '), option, V]),
    ),
    ['completion', V],
    ['completion', 'bash', '--', V],
    ['completion', 'bash', '--', V, ''],
    ['completion', 'bash', '--', 'block', V],
  ],
  ...[V, `domain=${V}`, `domain^=${V}`, `connector=${V}`, `ip=${V}`, `user=${V}`, `${V}=x`].map(
    (filter) => ['report', 'contoso', '--where', filter],
  ),
  ...['--days', '--from', '--to', '--by'].map((option) => ['report', 'contoso', option, V]),
  ...[
    ['unattributed', '--days', V],
    ['events', '--tenant', V],
    ['evidence', `fabrikam:${V}`],
    ['suggest', 'contoso', '--dns', V],
    ['audit', '--days', V],
    ['audit', 'contoso', '--days', V],
  ],
  ...[
    ['alert', V],
    ['alert', 'test', V],
    ['alert', 'test', '--by', V],
    ['alert', 'snooze', V, '--kind', 'unusual', '--for', '1d', '--reason', 'x'],
    ['alert', 'snooze', 'contoso', '--kind', V, '--for', '1d', '--reason', 'x'],
    ['alert', 'snooze', 'contoso', '--kind', 'unusual', '--for', V, '--reason', 'x'],
    ['alert', 'snooze', 'contoso', '--kind', 'unusual', '--for', '1d', '--reason', V],
    ['alert', 'unsnooze', V],
  ],
  ...['--from', '--to', '--ip', '--auth', '--cert'].map((option) => [
    ...['explain', ...(option === '--from' ? [] : ['--from', 'a@lure.example'])],
    ...[option, V],
  ]),
]

/** What a terminal could read as a command, or a reader as another line. */
// eslint-disable-next-line no-control-regex
const UNCLEAN = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\p{Bidi_Control}]/u

/** The allowed keys, without the prefix. */
const KEYS = [
  /^\{([a-z0-9][a-z0-9._-]{0,62})\}(?::(?:domains|usage|restriction|audit|cases|case:[1-9]\d*))?$/,
  /^\{(@tenants|@connectors)\}(?::(?:epoch|token|identities|audit))?$/,
  /^\{(@owners)\}:(?:names|index|version)$/,
  /^\{(@restricted|@cases)\}(:probation)?$/,
  /^\{(@events)\}(?::(?:ids|groups|due|counts|snoozed))?$/,
  /^\{(@nodes)\}:(?:pause|audit)$/,
]

/** The hash tag of such a key; empty for any other. */
function tagOf(key: string): string {
  return KEYS.map((pattern) => pattern.exec(key)?.[1]).find((tag) => tag !== undefined) ?? ''
}

/** An entry as published on the channel. */
type Heard = Omit<Expected, 'trail'> & Readonly<Record<'os' | 'redis' | 'note', string>>

interface Raised {
  readonly kind: string
  readonly by: string
  readonly reason: string
}

interface Published {
  readonly id: string
  readonly kind: string
  readonly facts: { readonly by: string }
}

/** The value of an option, as the command reads it. */
function optionOf(args: readonly string[], option: string): string | undefined {
  const at = args.lastIndexOf(option)
  return at === -1 ? undefined : inUtf8(args[at + 1]?.trim() ?? '')
}

/** A text after encoding as UTF-8, which has no half characters. */
function inUtf8(text: string): string {
  return Buffer.from(text).toString()
}

/** Entries of one trail stay in order. */
function byTrail<T extends Pick<Expected, 'trail'>>(entries: readonly T[]): T[] {
  return [...entries].sort((a, b) => a.trail.localeCompare(b.trail))
}

/** In any order. */
function inLines(entries: readonly object[]): string[] {
  return entries.map((entry) => JSON.stringify(Object.entries(entry).sort())).sort()
}

/** Whether a line of a trail is about this tenant, its connectors or cases. */
function isOf(tenant: string, trail: string, line: string): boolean {
  const subject = line.split('\t')[1]!
  return tenantOfKey(trail) === tenant || subject.split(/[:/]/)[0] === tenant
}

/** Empty where it is shared. */
function tenantOfKey(key: string): string {
  return /^\{([^@}]*)\}/.exec(key)?.[1] ?? ''
}

/** Entries before a purge are published and then erased. */
function isRemovalOfPurged({ subject, what }: Heard, purged: string | undefined): boolean {
  return what !== 'tenant purged' && subject.split(/[:/]/)[0] === purged
}

const FINGERPRINT = `
local names, all = redis.call('KEYS', '*'), {}
table.sort(names)
for at, name in ipairs(names) do all[at] = name .. redis.call('DUMP', name) end
return redis.sha1hex(table.concat(all))`

describe('tenantctl', () => {
  const scratch = scratchDir('arguments')
  const cwd = path.join(scratch, 'a')
  let first: Contents
  let ear: Redis
  const heard: Heard[] = []
  let redis: TestRedis
  let client: Redis
  let cli: Cli
  let seeded: Map<string, Buffer>
  let print: string
  before(async () => {
    mkdirSync(cwd)
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
      // A case that can be closed, a connector that can be unblocked, and a removed tenant.
      'tenant add northwind',
      'connector add northwind mx --ip 192.0.2.20',
      'connector block northwind mx --reason abuse',
      'block northwind --reason abuse',
      'unblock northwind --reason cleaned',
      'tenant add tailspin',
      'tenant remove tailspin',
      'alert test',
    )
    const names = await client.keys('*')
    const dumps = await Promise.all(names.map((name) => client.dumpBuffer(name)))
    seeded = new Map(names.map((name, at) => [name, dumps[at]!]))
    first = await contents()
    ear = redis.client()
    ear.on('message', (_channel, message) => heard.push(JSON.parse(message) as Heard))
    await ear.subscribe(`${cli.prefix}audit`)
  })
  after(() => redis.stop())
  beforeEach(restore)

  async function restore(): Promise<void> {
    const all = client.pipeline().flushall()
    for (const [name, value] of seeded) all.call('RESTORE', name, '0', value)
    await all.exec()
    print = await fingerprint()
  }

  /** A digest of all content. The same content may have another digest: Redis may repack a large hash. */
  async function fingerprint(): Promise<string> {
    return (await client.eval(FINGERPRINT, 0)) as string
  }

  /** The content of Redis, by keys without the prefix. */
  async function contents(): Promise<Contents> {
    return new Map(
      [...(await contentsOf({ client, keys: new Keys('') }))].map(([key, entries]) => {
        assert.ok(key.startsWith(cli.prefix), key)
        return [key.slice(cli.prefix.length), entries]
      }),
    )
  }

  for (const [number, place] of PLACES.entries()) {
    it(`${place.map((word) => word.replace(V, '…')).join(' ')} (SEED=${SEED})`, async () => {
      for (const value of valuesOf(number)) {
        const args = place.map((word) => word.replace(V, () => value))
        heard.length = 0
        const shown = JSON.stringify(args).slice(0, 200)
        const { status, out, err } = await cli.runIn({ cwd }, ...args)
        assert.ok([0, 1, 2, 3, 4].includes(status), `${shown}: ${status}`)
        // RFC 4180.
        const text = args.includes('--csv') ? out.replaceAll('\r\n', '\n') : out
        assert.doesNotMatch(text, UNCLEAN, shown)
        assert.doesNotMatch(err, UNCLEAN, shown)
        assert.doesNotMatch(err, /unexpected/, shown)
        // Comparing equal contents in full is slow.
        const untouched = (await fingerprint()) === print
        assertFiles(
          status === 0 && args[0] === 'backup' && value !== '-' ? [inUtf8(value)] : [],
          shown,
        )
        if (status !== 0) {
          // doctor reports the missing config directory on stdout.
          const lines = errorOf({ status, out, err }).split('\n')
          if (place[0] !== 'doctor' || status !== 1)
            assert.equal(lines.length, 2, `${shown}: ${err}`)
          if (!untouched) assert.deepEqual(await contents(), first, shown)
        } else if (!untouched) {
          const is = await contents()
          assertOnlyNamed(is, args, shown)
          await assertAudited(is, args, shown)
          assertEvents(is, args, shown)
          await restore()
        }
      }
    })
  }

  /** Checks that the command wrote only these files into its directory or above, and removes them. */
  function assertFiles(names: readonly string[], shown: string) {
    const found = readdirSync(scratch, { recursive: true }) as string[]
    assert.deepEqual(found.sort(), ['a', ...names.map((name) => path.join('a', name))], shown)
    for (const name of names) rmSync(path.join(cwd, name))
  }

  /** Checks that only keys of tenants that the command names changed, and their entries in shared keys. */
  function assertOnlyNamed(now: Contents, args: readonly string[], shown: string) {
    for (const key of new Set([...now.keys(), ...first.keys()])) {
      if (args[0] === 'init' && /:(?:epoch|lost)$/.test(key)) continue
      const tag = tagOf(key)
      assert.notEqual(tag, '', `${shown} wrote ${key}`)
      const [is, was] = [now.get(key) ?? [], first.get(key) ?? []]
      const changed = [...is, ...was].filter((entry) => !is.includes(entry) || !was.includes(entry))
      // Trails and events are checked in detail below.
      if (changed.length === 0 || /:(?:token|version|audit|pause)$|^\{@events\}/.test(key)) continue
      if (!tag.startsWith('@'))
        assert.ok(names(args, tag) || moves(args, tag), `${shown} changed ${key}`)
      else {
        for (const entry of changed) {
          // When a tenant was last added or removed.
          if (key.endsWith(':epoch') && args[0] === 'tenant' && entry.startsWith('changed = '))
            continue
          const words = args.flatMap((arg) => [
            arg,
            arg.toLowerCase(),
            arg.split('.').reverse().join('.'),
          ])
          assert.ok(
            words.some((word) => word !== '' && entry.includes(word)),
            `${shown} changed ${entry} in ${key}`,
          )
        }
      }
    }
  }

  /** Checks that the trails keep their entries and have one more for each change, with old and new values and names. */
  async function assertAudited(now: Contents, args: readonly string[], shown: string) {
    const purged = args.includes('--purge') ? args[2] : undefined
    const trails = new Set([...now.keys(), ...first.keys()].filter((key) => key.endsWith(':audit')))
    const written: (Expected & { by: readonly string[] })[] = []
    for (const trail of trails) {
      const is = now.get(trail) ?? []
      const was = (first.get(trail) ?? []).filter(
        (line) => purged === undefined || !isOf(purged, trail, line),
      )
      assert.deepEqual(is.slice(0, was.length), was, `${shown} changed ${trail}`)
      for (const line of is.slice(was.length)) {
        const [at, subject, what, from, to, ...by] = line.split('\t')
        assert.match(at!, /^\d{13}$/, `${shown} wrote ${line}`)
        assert.doesNotMatch(line, /[\r\n\0]/, shown)
        written.push({ trail, subject: subject!, what: what!, from: from!, to: to!, by })
      }
    }
    const note = optionOf(args, '--by')
    const by = [`ann (${userInfo().username})`, 'default', note ?? '']
    const duration = optionOf(args, '--for')?.trim() ?? '2h'
    const act = { by: note ?? 'ann', reason: optionOf(args, '--reason') ?? '', duration }
    const due = entriesFor(first, now, act).map((entry) => ({ ...entry, by }))
    assert.deepEqual(byTrail(written), byTrail(due), shown)

    // Each is published once, even where it is kept twice.
    await ear.ping()
    const expected = written
      .filter(
        ({ trail, what }) =>
          trail !== '{@tenants}:audit' || ['tenant purged', 'registry confirmed'].includes(what),
      )
      .map(({ trail, subject, by: [os, user, said], ...rest }) => ({
        ...{ ...rest, os, redis: user, note: said },
        subject: subject || tenantOfKey(trail),
      }))
    assert.deepEqual(
      inLines(heard.filter((each) => !isRemovalOfPurged(each, purged))),
      inLines(expected),
      shown,
    )
  }

  /** The events of this command, in the tenant's hash or in the stream. */
  function assertEvents(now: Contents, args: readonly string[], shown: string) {
    const act = { by: optionOf(args, '--by') ?? 'ann', reason: optionOf(args, '--reason') }
    const ids = new Set([...now.keys()].flatMap((key) => /^\{([^@}]+)\}$/.exec(key)?.[1] ?? []))
    for (const id of ids) {
      const [was, is] = [first, now].map((each) => {
        const text = fieldsOf(each, `{${id}}`).get('events')
        return text === undefined ? [] : text.split('\n')
      })
      assert.deepEqual(is!.slice(0, was!.length), was, shown)
      const raised = is!.slice(was!.length).map((line) => JSON.parse(line) as Raised)
      const [had, has] = [first, now].map((each) => each.has(`{${id}}:restriction`))
      const kinds = had === has ? [] : [has ? 'restricted' : 'lifted']
      assert.deepEqual(
        raised.map(({ kind, by, reason }) => ({ kind, by, reason })),
        kinds.map((kind) => ({ kind, ...act })),
        shown,
      )
    }
    const [was, is] = [first, now].map((each) => each.get('{@events}') ?? [])
    const published = is!.slice(was!.length).map((entry) => {
      const [, fields] = JSON.parse(entry) as [string, string[]]
      return JSON.parse(fields[fields.indexOf('json') + 1]!) as Published
    })
    const tested = args[0] === 'alert' && args[1] === 'test' ? [act.by] : []
    assert.deepEqual(is!.slice(0, was!.length), was, shown)
    assert.deepEqual(
      published.map(({ kind, facts }) => [kind, facts.by]),
      tested.map((by) => ['test', by]),
      shown,
    )
    for (const key of now.keys()) {
      // What Redis has lost, how many events there were, and what is snoozed is no event.
      if (!/^\{@events\}:(?!lost$|counts$|snoozed$)/.test(key)) continue
      const entries = now.get(key)!.filter((entry) => !first.get(key)?.includes(entry))
      for (const entry of entries) {
        assert.ok(
          published.some(({ id }) => entry.includes(id)),
          `${shown} wrote ${entry} into ${key}`,
        )
      }
    }
  }

  /** The tenant, or a case of it. */
  function names(args: readonly string[], tenant: string): boolean {
    return args.some((arg) => arg === tenant || new RegExp(`^${tenant}:[1-9]\\d*$`).test(arg))
  }

  /** A domain that is moved leaves its tenant. */
  function moves(args: readonly string[], tag: string): boolean {
    return args[1] === 'move' && args[2] === `${tag}.example`
  }

  it('any --prefix: every written key has it, and no other key changes', async () => {
    for (const prefix of VALUES) {
      const args = ['--redis', redis.url, '--prefix', prefix, 'tenant', 'add', 'other']
      const { status, err } = await tenantctl(args)
      assert.ok([0, 2].includes(status), `${JSON.stringify(prefix)}: ${err}`)
      assert.doesNotMatch(err, UNCLEAN)
      const now = await contentsOf({ client, keys: new Keys('') })
      for (const [key, entries] of first) {
        assert.deepEqual(now.get(`${cli.prefix}${key}`), entries, key)
      }
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

  it('an invalid name of a caller is not used', async () => {
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

  it('any number of names on stdin is read, valid or not', async () => {
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
    assert.deepEqual(await contents(), first)
  })
})
