import { shortTime } from '../base/time'
import { InputError } from '../base/errors'
import { formatLimits, parseLimits } from './limits'
import type { LimitsField } from './meters'

/** Field of the tenant's hash with limits that apply in place of the usual ones until a time: `temporaryNullLimits`. */
export type TemporaryField = `temporary${Capitalize<LimitsField>}`

/** Limits that apply in place of the usual ones until a time. */
export interface Temporary {
  /** Canonical text. */
  readonly limits: string
  /** ms since the epoch, server time; a whole second. */
  readonly until: number
}

const FORM = /^(.+) until (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/

export function temporaryField(field: LimitsField): TemporaryField {
  return `temporary${field.charAt(0).toUpperCase()}${field.slice(1)}` as TemporaryField
}

/** `500/1h, 3000/1d until 2026-12-03T08:00:00Z`, which the scripts read (`allowance/lua/include/temporary.lua`). */
export function formatTemporary({ limits, until }: Temporary): string {
  return `${limits} until ${shortTime(until)}`
}

/** `500/1h until 2026-12-03T08:00:00Z, then 300/1h`. @param usual what applies then. */
export function describeTemporary(temporary: Temporary, usual: string): string {
  return `${formatTemporary(temporary)}, then ${usual}`
}

/** @throws {InputError} */
export function parseTemporary(text: string): Temporary {
  const [, limits = '', end = ''] = FORM.exec(text) ?? []
  const until = Date.parse(end)
  if (Number.isNaN(until)) throw new InputError(`${JSON.stringify(text)} is no temporary allowance`)
  return { limits: formatLimits(parseLimits(limits)), until }
}

/** What is in effect at `now` (ms, server time) of a field of the tenant's hash, which may be absent. */
export function temporaryAt(text: string | null | undefined, now: number): Temporary | undefined {
  const [, limits = '', end = ''] = FORM.exec(text ?? '') ?? []
  const until = Date.parse(end)
  return until > now ? { limits, until } : undefined
}
