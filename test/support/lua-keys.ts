// The keys that a Lua script uses, according to its text.

/** Commands without a key: TIME has none, and a channel is not one. */
const KEYLESS = new Set(['TIME', 'PUBLISH'])
/** Commands whose arguments are all keys; other commands have one key, first. */
const ALL_KEYS = new Set(['DEL', 'UNLINK', 'EXISTS', 'TOUCH'])
/** Commands whose subcommand comes before the key. */
const CONTAINERS = new Set(['XGROUP', 'XINFO'])
const KEY = /^KEYS\[\w+\]$/
/** The line in which a script names its keys. */
const NAMED_KEYS = /^local ([\w, ]+) =\s+(KEYS\[1\](?:, KEYS\[\d+\])*)$/gm

/**
 * The calls of a script with a key that is not certainly one of KEYS: KEYS itself, a name given at the top, or a
 * parameter for which every caller passes one. Any other key could be on another node of a Cluster.
 */
export function strayKeys(source: string): string[] {
  const code = new LuaCode(source)
  const stray: string[] = []
  for (const { index, args } of [...code.callsOf('redis.call'), ...code.callsOf('redis.pcall')]) {
    const [command = '', ...rest] = args
    const name = /^'(\w+)'$/.exec(command)?.[1]
    if (name === undefined) stray.push(`redis.call(${args.join(', ')})`)
    if (name === undefined || KEYLESS.has(name)) continue
    const keys = ALL_KEYS.has(name) ? rest : [rest[keyAt(name, rest)] ?? '']
    if (keys.length === 0 || !keys.every((key) => code.isKey(key, index)))
      stray.push(`redis.call(${args.join(', ')})`)
  }
  if (/redis\.(?!p?call\b)\w*call|\[['"]p?call|=\s*redis\.p?call\s*$/m.test(code.text))
    stray.push('other call')
  return stray
}

function keyAt(command: string, args: readonly string[]): number {
  if (command === 'XREADGROUP') return args.indexOf("'STREAMS'") + 1
  return CONTAINERS.has(command) ? 1 : 0
}

/** The keys that a script names at its top, in order. */
export function namedKeys(source: string): string[] {
  return [...source.matchAll(NAMED_KEYS)].flatMap(([, names = '', keys = '']) => {
    const list = names.split(', ')
    const inOrder = list.map((_, at) => `KEYS[${at + 1}]`).join(', ')
    return keys === inOrder ? list : []
  })
}

/** A function, with its parameters and its range. */
interface LuaFunction {
  /** Empty: it has none. */
  readonly name: string
  readonly params: readonly string[]
  readonly start: number
  end: number
}

/** A script without its comments. */
class LuaCode {
  readonly text: string
  /** The same with its string literals blanked, at equal length. */
  private readonly bare: string
  private readonly functions: readonly LuaFunction[]
  private readonly named: ReadonlySet<string>

  constructor(source: string) {
    this.text = source.replace(/--.*$/gm, '')
    this.bare = this.text.replace(
      /(['"])((?:(?!\1)[^\\\n]|\\.)*)\1/g,
      (text) => `'${' '.repeat(text.length - 2)}'`,
    )
    this.functions = functionsIn(this.bare)
    this.named = new Set(namedKeys(this.text))
  }

  /** Whether an expression for a key, at a place of the script, is certainly one of KEYS. */
  isKey(expression: string, index: number, asked: ReadonlySet<LuaFunction> = new Set()): boolean {
    if (KEY.test(expression)) return true
    if (!/^\w+$/.test(expression)) return false
    // The innermost one is declared last.
    const owner = this.functions.findLast(
      ({ params, start, end }) => start <= index && index < end && params.includes(expression),
    )
    const { declared, assigned } = this.bindingsOf(expression)
    if (assigned > 0 || declared > (this.named.has(expression) ? 1 : 0)) return false
    if (!owner) return this.named.has(expression)
    if (asked.has(owner)) return true
    const at = owner.params.indexOf(expression)
    const callers = this.callsOf(owner.name)
    const seen = new Set([...asked, owner])
    return (
      owner.name !== '' &&
      !this.isPassedOn(owner.name) &&
      callers.every((call) => this.isKey(call.args[at] ?? '', call.index, seen))
    )
  }

  /** How often a name is declared by `local` or `for`, and how often it is assigned. */
  private bindingsOf(name: string): { declared: number; assigned: number } {
    const list = `[\\w, ]*\\b${name}\\b[\\w, ]*`
    const count = (pattern: string): number =>
      [...this.bare.matchAll(new RegExp(pattern, 'g'))].length
    const local = count(`\\blocal (?!function\\b)${list}`)
    return {
      declared: local + count(`\\bfor ${list}(?:=|\\bin\\b)`),
      assigned: count(`(?<=^|\\n|;|\\bdo |\\bthen ) *(?!local\\b|for\\b)${list}=(?!=)`),
    }
  }

  /** Whether a function is used other than by a call, so that not all its callers are visible. */
  private isPassedOn(name: string): boolean {
    return new RegExp(`(?<![\\w.])${name}\\b(?!\\()`).test(this.bare)
  }

  private isDeclaration(index: number): boolean {
    return /function $/.test(this.text.slice(0, index))
  }

  /** The calls of a function, and their arguments. */
  callsOf(name: string): { index: number; args: string[] }[] {
    const call = new RegExp(`(?<![\\w.])${name.replace('.', '\\.')}\\(`, 'g')
    return [...this.text.matchAll(call)]
      .filter(({ index }) => !this.isDeclaration(index))
      .map(({ index }) => ({ index, args: argumentsAt(this.text, index + name.length + 1) }))
  }
}

/** All functions, an inner one after its outer one. */
function functionsIn(text: string): LuaFunction[] {
  const functions: LuaFunction[] = []
  const open: (LuaFunction | undefined)[] = []
  const word = /\b(?:if|do|repeat|end|until)\b|\bfunction\s*(\w*)\(([^)]*)\)/g
  for (const match of text.matchAll(word)) {
    const [all, name = '', params = ''] = match
    if (all === 'end' || all === 'until') {
      const closed = open.pop()
      if (closed) closed.end = match.index
    } else if (all.startsWith('function')) {
      const each = { name, params: params.split(/\s*,\s*/), start: match.index, end: text.length }
      functions.push(each)
      open.push(each)
    } else {
      open.push(undefined)
    }
  }
  return functions
}

/** The arguments from an opening parenthesis to the closing one. */
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
