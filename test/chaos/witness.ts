import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Span } from './clock'

/** How often a process checks for a stall, and the shortest stall, in ms. */
export const TICK = 20
export const HELD_UP = 60

/** A time in which a process was stalled, by itself or by a busy machine. */
export interface Stall extends Span {
  readonly pid: number
}

/** A started process of Haraka. */
export interface Beginning {
  readonly pid: number
  readonly at: number
}

const STALLS = 'stalls.jsonl'
const BEGINNINGS = 'beginnings.jsonl'
const OFFSET = 'clock-offset'

/**
 * A plugin of the site that shows what is invisible from outside: the process and uuid of a session (a keyword in the
 * reply to EHLO), and the start and stalls of processes. It also moves the clock of its process on request.
 */
export class Witness {
  static readonly plugin = 'test_witness'

  constructor(private readonly site: string) {}

  /** Moves the wall clock of all processes of the site, in ms; takes effect shortly after. */
  moveClock(offset: number): void {
    writeFileSync(path.join(this.site, OFFSET), String(offset))
  }

  stalls(): Stall[] {
    return readLines(path.join(this.site, STALLS))
  }

  beginnings(): Beginning[] {
    return readLines(path.join(this.site, BEGINNINGS))
  }
}

/** Reads the keyword of the plugin. @throws Error where it is missing */
export function readKeyword(capabilities: readonly string[]): { pid: number; uuid: string } {
  for (const line of capabilities) {
    const [, pid, uuid] = /^XWITNESS (\d+) (\S+)$/.exec(line) ?? []
    if (pid !== undefined && uuid !== undefined) return { pid: Number(pid), uuid }
  }
  throw new Error(`no XWITNESS among ${capabilities.join(', ')}`)
}

function readLines<T>(file: string): T[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as T)
}

/** Runs inside Haraka. Plugins have the Date of a sandbox, so Haraka's own is reached through node:vm. */
export const witnessSource = `
'use strict'
const fs = require('node:fs')
const path = require('node:path')
const vm = require('node:vm')

const file = (name) => path.join(process.env.HARAKA, name)
const append = (name, value) => fs.appendFileSync(file(name), JSON.stringify(value) + '\\n')
const now = () => Number(process.hrtime.bigint() / 1000n) / 1000

const moveClock = vm.runInThisContext(\`(() => {
  const RealDate = Date
  const realNow = Date.now
  let offset = 0
  RealDate.now = () => realNow() + offset
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [RealDate.now()] : args, newTarget),
    apply: () => new RealDate(RealDate.now()).toString(),
  })
  return (to) => { offset = to }
})()\`)

exports.register = function () {
  this.timeout = 0
  this.register_hook('init_child', 'begin')
  this.register_hook('capabilities', 'introduce')
  let last = now()
  let ticks = 0
  setInterval(() => {
    const at = now()
    if (at - last > ${TICK + HELD_UP}) append('${STALLS}', { pid: process.pid, from: last, to: at })
    last = at
    if (ticks++ % 5 === 0 && fs.existsSync(file('${OFFSET}'))) {
      moveClock(Number(fs.readFileSync(file('${OFFSET}'), 'utf8')))
    }
  }, ${TICK}).unref()
}

exports.begin = function (next) {
  append('${BEGINNINGS}', { pid: process.pid, at: now() })
  next()
}

exports.introduce = function (next, connection) {
  connection.capabilities.push('XWITNESS ' + process.pid + ' ' + connection.uuid)
  next()
}
`
