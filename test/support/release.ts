import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { startRedis, type TestRedis } from '../../scripts/services/redis'
import { MovableClock } from './movable-clock'

/** An argument of a Redis command; in base64 where it is not text. */
type Argument = string | { readonly base64: string }

/** The state that an earlier release left: `test/fixtures/NAME`. */
export class Release {
  /** Server time of that moment, in ms since the epoch. */
  readonly at: number
  readonly #dir: string
  readonly #clocks: MovableClock[] = []
  /** Redis commands that restore the content, one a line. */
  readonly #commands: readonly (readonly [string, ...Argument[]])[]

  constructor(name: string) {
    this.#dir = path.resolve(__dirname, '../fixtures', name)
    const [first, ...commands] = this.#lines('redis.jsonl')
    this.at = (first as { at: number }).at
    this.#commands = commands as [string, ...Argument[]][]
  }

  /** `backup.jsonl` as its `tenantctl backup` wrote it, `snapshot.jsonl` as its Haraka did. */
  file(name: 'backup.jsonl' | 'snapshot.jsonl'): string {
    return path.join(this.#dir, name)
  }

  /** The answers of its `tenantctl QUESTION --json` about this Redis, by question. */
  answers(): [question: string, answer: unknown][] {
    return this.#lines('answers.jsonl') as [string, unknown][]
  }

  /** A Redis with that content at that time: nothing has expired, and no window has passed. */
  async startRedis(): Promise<TestRedis> {
    const redis = await this.startEmptyRedis()
    const client = redis.client()
    for (const [command, ...args] of this.#commands) {
      await client.call(command, ...args.map(octets))
    }
    return redis
  }

  /** A Redis without content, at that time. */
  startEmptyRedis(): Promise<TestRedis> {
    const clock = new MovableClock()
    this.#clocks.push(clock)
    clock.set(this.#behind())
    return startRedis({ env: clock.env })
  }

  /** Sets the clocks of all these Redises to this many ms after that time. */
  moveTo(ms: number): void {
    for (const clock of this.#clocks) clock.set(this.#behind() + ms / 1000)
  }

  /** Negative: the seconds since that time. */
  #behind(): number {
    return Math.round((this.at - Date.now()) / 1000)
  }

  #lines(file: string): unknown[] {
    const text = readFileSync(path.join(this.#dir, file), 'utf8')
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
  }
}

function octets(argument: Argument): string | Buffer {
  return typeof argument === 'string' ? argument : Buffer.from(argument.base64, 'base64')
}

/** Asserts that `whole` has everything in `part`; both are JSON. */
export function contains(whole: unknown, part: unknown, at = 'answer'): void {
  if (Array.isArray(part) && Array.isArray(whole)) {
    assert.equal(whole.length, part.length, `${at} has another length`)
    part.forEach((each, index) => contains(whole[index], each, `${at}[${index}]`))
  } else if (isObject(part) && isObject(whole)) {
    for (const [key, value] of Object.entries(part)) contains(whole[key], value, `${at}.${key}`)
  } else assert.deepEqual(whole, part, at)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
