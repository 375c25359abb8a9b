/** One finding of the doctor. */
export interface Line {
  readonly level: 'ok' | 'warn' | 'fail'
  /** What was checked, as a stable word. */
  readonly check: string
  readonly message: string
  /** What to do; `null` where all is well. */
  readonly advice: string | null
  /** What the message is about, where there may be many such: a connector, a tenant, a domain … */
  readonly subject: string | null
  /** What all findings of this kind have in common, in the plural: `ranges are private`. */
  readonly problem: string | null
}

/** Marks a finding of which there may be many: they are printed as one. */
type Kind = Pick<Line, 'subject' | 'problem'>

const SINGLE: Kind = { subject: null, problem: null }

export function ok(check: string, message: string, kind: Kind = SINGLE): Line {
  return { level: 'ok', check, message, advice: null, ...kind }
}

/** It works, but could be better or safer. */
export function warn(check: string, message: string, advice: string, kind: Kind = SINGLE): Line {
  return { level: 'warn', check, message, advice, ...kind }
}

/** It does not work. */
export function fail(check: string, message: string, advice: string, kind: Kind = SINGLE): Line {
  return { level: 'fail', check, message, advice, ...kind }
}
