/** One thing that the doctor looked at. */
export interface Line {
  readonly level: 'ok' | 'warn' | 'fail'
  /** What was looked at, as a stable word. */
  readonly check: string
  readonly message: string
  /** What to do; `null` where all is well. */
  readonly advice: string | null
}

export function ok(check: string, message: string): Line {
  return { level: 'ok', check, message, advice: null }
}

/** It works, but not as well or as safely as it could. */
export function warn(check: string, message: string, advice: string): Line {
  return { level: 'warn', check, message, advice }
}

/** It does not do what it is there for. */
export function fail(check: string, message: string, advice: string): Line {
  return { level: 'fail', check, message, advice }
}
