import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { assemble } from '../../src/store/script'

const SOURCES = path.join(__dirname, '../../src')
/** What scripts include: no scripts of their own. */
const isIncluded = (file: string): boolean => path.basename(path.dirname(file)) === 'include'

/** Scripts that the cluster test of another folder runs, by name. */
const RUN_WITH: Readonly<Record<string, string>> = {
  lead: 'events',
  go_on: 'events',
  server_time: 'events',
  read_tenant: 'backup',
}

/** Whether a test beside the others of this folder of `src` runs its scripts on a Redis Cluster: see `assertAllRan`. */
export function hasClusterTest(folder: string): boolean {
  return existsSync(path.join(__dirname, '..', folder, 'cluster.long.test.ts'))
}

/** Every script of ours as Redis gets it, by name. */
export function allScripts(): Map<string, string> {
  return scriptsIn(() => true)
}

/** Those that lie in a folder for which `fits`, as {@link allScripts}. */
export function scriptsIn(fits: (folder: string) => boolean): Map<string, string> {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.lua') && !isIncluded(file))
    .filter((file) => fits(RUN_WITH[path.basename(file, '.lua')] ?? file.split(path.sep)[0]!))
    .sort()
  return new Map(
    files.map((file) => {
      const name = path.basename(file, '.lua')
      const source = readFileSync(path.join(SOURCES, file), 'utf8')
      return [name, assemble({ name, source })]
    }),
  )
}

/** Commands that name no key: TIME has none, and a channel is none. */
const KEYLESS = new Set(['TIME', 'PUBLISH'])
/** Commands whose arguments are all keys; of the others the first one is. */
const ALL_KEYS = new Set(['DEL', 'UNLINK', 'EXISTS', 'TOUCH'])
/** Commands whose subcommand comes before the key. */
const CONTAINERS = new Set(['XGROUP', 'XINFO'])
const KEY = /^KEYS\[\w+\]$/

/**
 * The places in a script where a key is neither one of KEYS nor a parameter that is given one of KEYS by every caller.
 * A Cluster could have such a key on another node.
 */
export function strayKeys(source: string): string[] {
  const code = source.replace(/--.*$/gm, '')
  const stray: string[] = []
  for (const { index, args } of callsOf(code, 'redis.call')) {
    const [command = '', ...rest] = args
    const name = /^'(\w+)'$/.exec(command)?.[1]
    if (name === undefined) stray.push(`redis.call(${args.join(', ')})`)
    if (name === undefined || KEYLESS.has(name)) continue
    const keys = ALL_KEYS.has(name) ? rest : [rest[keyAt(name, rest)] ?? '']
    const isStray = (key: string) => !KEY.test(key) && !isGivenKeys(code, index, key)
    if (keys.length === 0 || keys.some(isStray)) stray.push(`redis.call(${args.join(', ')})`)
  }
  if (/redis\.(?!call\b)\w*call|\[['"]call|=\s*redis\.call\s*$/m.test(code))
    stray.push('other call')
  return stray
}

function keyAt(command: string, args: readonly string[]): number {
  if (command === 'XREADGROUP') return args.indexOf("'STREAMS'") + 1
  return CONTAINERS.has(command) ? 1 : 0
}

/** Whether a name is a parameter of the function around `index`, and all callers give one of KEYS, or such a name, for it. */
function isGivenKeys(code: string, index: number, name: string): boolean {
  const around = [...code.slice(0, index).matchAll(/function (\w+)\(([^)]*)\)/g)].at(-1)
  if (!around) return false
  const at = around[2]!.split(/\s*,\s*/).indexOf(name)
  const callers = callsOf(code, around[1]!).filter(({ index }) => index !== around.index + 9)
  const isGiven = (from: number, key = ''): boolean => KEY.test(key) || isGivenKeys(code, from, key)
  return at >= 0 && callers.every(({ index, args }) => isGiven(index, args[at]))
}

/** Where a function is called (or declared), and the arguments as they stand there. */
function callsOf(code: string, name: string): { index: number; args: string[] }[] {
  const calls = []
  for (const { index } of code.matchAll(
    new RegExp(`(?<![\\w.])${name.replace('.', '\\.')}\\(`, 'g'),
  )) {
    calls.push({ index, args: argumentsAt(code, index + name.length + 1) })
  }
  return calls
}

/** The arguments from behind an opening parenthesis to the one that closes it. */
function argumentsAt(code: string, from: number): string[] {
  const args = ['']
  let depth = 0
  let quote = ''
  for (const char of code.slice(from)) {
    if (quote) {
      if (char === quote) quote = ''
    } else if (char === "'" || char === '"') {
      quote = char
    } else if ('({['.includes(char)) {
      depth++
    } else if (')}]'.includes(char)) {
      if (--depth < 0) break
    } else if (char === ',' && depth === 0) {
      args.push('')
      continue
    }
    args[args.length - 1] += char
  }
  return args.map((arg) => arg.trim()).filter((arg) => arg !== '')
}
