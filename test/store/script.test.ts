import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { MAIL_INCLUDES } from '../../src/mail/scripts'
import { Keys } from '../../src/store/keys'
import { assemble, readScript } from '../../src/store/script'
import { Store } from '../../src/store/store'
import { randomToken } from '../../src/records/token'
import { namedKeys } from '../support/lua-keys'
import { startRedis, type TestRedis } from '../support/redis'

const SOURCES = path.join(__dirname, '..', '..', 'src')
const isIncluded = (file: string): boolean => path.basename(path.dirname(file)) === 'include'

/** Paths below src/ of all Lua files. */
const luaFiles = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) =>
  name.endsWith('.lua'),
)
const scripts = luaFiles
  .filter((name) => !isIncluded(name))
  .map((name) => {
    const folder = path.join(SOURCES, path.dirname(path.dirname(name)))
    return { file: name, script: readScript(folder, path.basename(name, '.lua'), MAIL_INCLUDES) }
  })

let redis: TestRedis
before(async () => {
  redis = await startRedis()
})
after(() => redis.stop())

describe('our scripts', () => {
  it('are found', () => {
    assert.ok(scripts.length >= 10, luaFiles.join(' '))
  })

  for (const { file, script } of scripts) {
    it(`${file} says its KEYS and reply first, and loads`, async () => {
      const comment = /^(?:--.*\n)+/.exec(script.source)?.[0] ?? ''
      assert.match(comment, /KEYS\[1\]/)
      assert.match(comment, /reply:|Reply:/)
      const assembled = assemble(script)
      assert.doesNotMatch(assembled, /@include/)
      assert.match(
        await redis.client().call('SCRIPT', 'LOAD', assembled).then(String),
        /^[\da-f]{40}$/,
      )
    })
  }

  it('name their keys at the top, and use no number of one below', () => {
    for (const { file, script } of scripts) {
      const code = script.source.replace(/--.*$/gm, '')
      const named = namedKeys(code)
      const numbers = [...code.matchAll(/\bKEYS\[\d+\]/g)]
      assert.equal(numbers.length, named.length, `${file}: ${numbers.join(' ')}`)
      for (const key of named) assert.match(key, /_key$/, file)
    }
  })

  it('read the clock in one place, and no other source of chance', () => {
    for (const file of luaFiles) {
      const source = readFileSync(path.join(SOURCES, file), 'utf8')
      if (file !== path.join('store', 'lua', 'include', 'clock.lua'))
        assert.doesNotMatch(source, /['"]TIME['"]/i, file)
      assert.doesNotMatch(source, /math\.random|os\.|SRANDMEMBER/, file)
    }
  })

  it('have names of their own: a connection knows them by these', () => {
    const names = scripts.map(({ script }) => script.name)
    assert.equal(new Set(names).size, names.length)
  })
})

describe('what scripts include', () => {
  const includes = luaFiles.filter(isIncluded)
  const sourceOf = (file: string): string => readFileSync(path.join(SOURCES, file), 'utf8')

  it('knows no key and no argument but those that it is given', () => {
    for (const file of includes)
      assert.doesNotMatch(codeOf(sourceOf(file)), /\b(KEYS|ARGV)\b/, file)
  })

  it('brings along all that it uses itself', () => {
    for (const file of includes) {
      const name = path.basename(file, '.lua')
      assert.deepEqual(
        unknownNames(assemble({ name, source: sourceOf(file), made: MAIL_INCLUDES })),
        [],
        file,
      )
    }
    for (const { file, script } of scripts) {
      assert.deepEqual(unknownNames(assemble(script)), [], file)
    }
  })

  it('is missed where it is not included', () => {
    assert.deepEqual(unknownNames("local text = 'f()'\nif f(TEXT) then g(text) end"), [
      'f',
      'TEXT',
      'g',
    ])
  })

  it('lies in the room of who includes it, or in one below', () => {
    assert.deepEqual(
      luaFiles.flatMap((file) => upward(file, sourceOf(file))),
      [],
    )
  })

  it('is found where it lies above', () => {
    const source =
      '-- @include registry/ownership\n-- @include store/clock\n-- @include allowance/ring\n'
    assert.deepEqual(upward('allowance/lua/x.lua', source), ['allowance/lua/x.lua: registry'])
    assert.deepEqual(upward('registry/consistency/lua/x.lua', source), [])
    assert.deepEqual(upward('cases/lua/x.lua', '-- @include unusual/x\n'), [
      'cases/lua/x.lua: unusual',
    ])
  })
})

/** A script without its comments and texts. */
function codeOf(source: string): string {
  return source.replace(/--.*$/gm, '').replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
}

/** Functions and constants that a script uses and does not declare, and Lua and Redis do not bring. */
function unknownNames(source: string): string[] {
  const code = codeOf(source)
  const declared = [
    ...code.matchAll(
      /\b(?:local|for)(?! function)( \w+(?:,\s+\w+)*)|\bfunction ?(\w*)\(([^)]*)\)/g,
    ),
  ]
  const known = new Set(declared.flatMap(([, ...names]) => names.join(' ').split(/[\s,]+/)))
  const used = [...code.matchAll(/(?<![\w.:])([a-z]\w*)\(|(?<![\w.'])([A-Z][A-Z\d_]+)\b/g)].map(
    ([, called, constant]) => called ?? constant!,
  )
  return [...new Set(used)].filter((name) => !known.has(name) && !BUILT_IN.has(name))
}

const BUILT_IN = new Set(
  'KEYS ARGV function ipairs pairs unpack tonumber tostring type and or not if in'.split(' '),
)

/** From top to bottom, as the lint rule has them. */
const FLOORS = JSON.parse(
  readFileSync(path.join(SOURCES, '../scripts/rooms.json'), 'utf8'),
) as string[][]

/** The rooms of includes that lie above or beside the room of a file. */
function upward(file: string, source: string): string[] {
  const floorOf = (room: string): number =>
    FLOORS.findIndex((floor) => floor.includes(`src/${room}`))
  const own = file.split(path.sep)[0]!
  return [...source.matchAll(/^ *-- @include ([\w-]+)\//gm)]
    .map(([, room]) => room!)
    .filter((room) => room !== own && floorOf(room) <= floorOf(own))
    .map((room) => `${file}: ${room}`)
}

describe('assemble', () => {
  it('puts includes in, or the replacements given', () => {
    const script = { name: 'x', source: '-- @include store/clock\nreturn now_ms()\n' }
    assert.match(assemble(script), /local function now_us\(\)[^]*return now_ms\(\)\n$/)
    const replaced = assemble(script, { clock: 'local function now_ms() return 5 end' })
    assert.equal(replaced, 'local function now_ms() return 5 end\nreturn now_ms()\n')
  })

  it('puts what indented lines include into their block, unless it is there already', () => {
    const source = [
      '-- @include a/b',
      'if x then',
      '  -- @include a/c',
      '  -- @include a/d',
      'end',
      '-- @include a/c',
    ]
    const made = { 'a/b': 'B', 'a/c': '-- @include a/b\nC', 'a/d': '-- @include a/c\nD' }
    const lines = assemble({ name: 'x', source: source.join('\n'), made }).split('\n')
    assert.deepEqual(lines.filter(Boolean), ['B', 'if x then', 'C', 'D', 'end', 'C'])
  })

  it('takes replacements as they are, with dollars too', () => {
    const script = { name: 'x', source: '-- @include store/clock\nreturn 1' }
    assert.equal(assemble(script, { clock: "-- $& $1 $'" }), "-- $& $1 $'\nreturn 1")
  })

  it('throws for an include or a script that does not exist', () => {
    assert.throws(
      () => assemble({ name: 'x', source: '-- @include store/nothing' }),
      /ENOENT.*nothing\.lua/,
    )
    assert.throws(() => readScript(__dirname, 'nothing'), /ENOENT/)
  })
})

describe('a store', () => {
  const script = {
    name: 'test_echo',
    source: "return { KEYS[1], ARGV[1], redis.call('INCR', KEYS[1]) }",
  }

  it('runs a script with its keys and arguments, also after FLUSH', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    assert.deepEqual(await store.run(script, ['a'], ['b']), ['a', 'b', 1])
    await store.client.script('FLUSH')
    assert.deepEqual(await store.run(script, ['a'], [7]), ['a', '7', 2])
  })

  it('runs a prepared script with the values of each call behind its keys, also after FLUSH', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    const source = `
      local all = { #KEYS, unpack(KEYS) }
      for _, argument in ipairs(ARGV) do table.insert(all, argument) end
      return all`
    const prepared = store.prepare({ name: 'test_all', source }, ['{a}', '{a}:é'], 1)
    for (let turn = 0; turn < 3; turn++) {
      const reply = await store.call(prepared, ['{a}:further', 'naïve ✓', '', turn, 1.5])
      assert.deepEqual(reply, [3, '{a}', '{a}:é', '{a}:further', 'naïve ✓', '', `${turn}`, '1.5'])
      if (turn === 1) await store.client.script('FLUSH')
    }
  })

  it('runs every call of a script that Redis forgets meanwhile once', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    const count = { name: 'test_count', source: "return redis.call('INCR', KEYS[1])" }
    await store.run(count, ['order'], [])
    const replies: Promise<unknown>[] = []
    for (let turn = 0; turn < 50; turn++) {
      replies.push(store.run(count, ['order'], []))
      if (turn % 10 === 0) void store.client.script('FLUSH')
    }
    const numbers = (await Promise.all(replies)) as number[]
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      Array.from({ length: 50 }, (_, at) => at + 2),
    )
  })

  it('sends the source once', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    await store.run(script, ['b'], [''])
    await redis.resetCommandStats()
    await Promise.all(Array.from({ length: 5 }, () => store.run(script, ['b'], [''])))
    const { evalsha, eval: whole } = await redis.commandStats()
    assert.deepEqual([evalsha, whole], [5, undefined])
  })

  it('rejects with the error of the script', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    const broken = { name: 'test_broken', source: "return redis.call('LPUSH', KEYS[1], 1)" }
    await store.client.set('text', 'x')
    await assert.rejects(store.run(broken, ['text'], []), /^ReplyError: WRONGTYPE/)
  })
})

describe('the clock of the scripts', () => {
  it('is the time of Redis, in whole ms and in µs', async () => {
    const store = new Store(redis.client(), new Keys('ud:'))
    const source = "-- @include store/clock\nreturn { now_ms(), string.format('%.0f', now_us()) }"
    const before = Date.now()
    const [ms, us] = (await store.run({ name: 'test_clock', source }, [], [])) as [number, string]
    const after = Date.now() + 1
    assert.ok(before <= ms && ms <= after, `${before} ${ms} ${after}`)
    // Redis of before 7.2 goes on counting while a script runs.
    const later = Number(us) / 1000
    assert.ok(ms <= later && later <= after, `${ms} ${later} ${after}`)
  })
})

describe('the random part of a token', () => {
  it('is 12 hexadecimal digits, and another each time', () => {
    const tokens = Array.from({ length: 100 }, randomToken)
    for (const token of tokens) assert.match(token, /^[\da-f]{12}$/)
    assert.equal(new Set(tokens).size, 100)
  })
})
