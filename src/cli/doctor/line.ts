/** One finding of the doctor. */
export interface Line {
  readonly level: 'ok' | 'warn' | 'fail'
  /** What was checked, as a stable word. */
  readonly check: string
  readonly message: string
  /** What to do; `null` where all is well. */
  readonly advice: string | null
}

export function ok(check: string, message: string): Line {
  return { level: 'ok', check, message, advice: null }
}

/** It works, but could be better or safer. */
export function warn(check: string, message: string, advice: string): Line {
  return { level: 'warn', check, message, advice }
}

/** It does not work. */
export function fail(check: string, message: string, advice: string): Line {
  return { level: 'fail', check, message, advice }
}
