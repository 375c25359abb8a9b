import { count } from '../../base/count'
import { grouped } from '../../base/lists'
import type { Output, Tone } from '../kit/output'
import type { Line } from './line'

const TONES: Record<Line['level'], Tone> = { ok: 'good', warn: 'warn', fail: 'bad' }
export const WORST_FIRST: readonly Line['level'][] = ['fail', 'warn', 'ok']
const EXAMPLES = 3
const INDENT = ' '.repeat(6)

/** While enforcement is paused, nothing else matters as much. */
export function pauseFirst(lines: readonly Line[]): Line[] {
  const isOfPause = ({ check, level }: Line): boolean => check === 'pause' && level === 'warn'
  return [...lines.filter(isOfPause), ...lines.filter((line) => !isOfPause(line))]
}

/** Prints what was found, failures first. @param all every finding; else those of one kind are one. */
export function printLines(out: Output, lines: readonly Line[], all: boolean): void {
  const kinds = all ? lines.map((line) => [line]) : byKind(lines)
  const printed = WORST_FIRST.map((level) => kinds.filter(([line]) => line?.level === level))
  for (const kind of printed.flat()) printKind(out, kind)
  const [fails, warnings, good] = printed.map(({ length }) => length) as [number, number, number]
  out.line()
  out.line(`${good} ok, ${count(warnings, 'warning')}, ${count(fails, 'fail')}`)
}

/** Lines of one level, check and problem together, in the place of the first. */
export function byKind(lines: readonly Line[]): Line[][] {
  const kinds = grouped(lines, (line) =>
    line.problem === null ? line : `${line.level} ${line.check}: ${line.problem}`,
  )
  return kinds.map(([, of]) => of)
}

function printKind(out: Output, lines: readonly Line[]): void {
  const [{ level, check, message, advice, problem }] = lines as [Line]
  const isOne = lines.length === 1
  const sum = isOne ? message : `${lines.length.toLocaleString('en-US')} ${problem}`
  out.line(`${level.padEnd(4)}  ${check}: ${sum}`, TONES[level])
  if (!isOne) out.line(INDENT + examplesOf(lines))
  if (advice === null) return
  const isSame = lines.every((line) => line.advice === advice)
  out.line(`${INDENT}→ ${isSame ? '' : 'for the first: '}${advice}`)
}

function examplesOf(lines: readonly Line[]): string {
  const named = lines.slice(0, EXAMPLES).map(({ subject, message }) => subject ?? message)
  const more = lines.length - named.length
  const rest = more > 0 ? ` and ${more.toLocaleString('en-US')} more (--verbose)` : ''
  return named.join(', ') + rest
}
