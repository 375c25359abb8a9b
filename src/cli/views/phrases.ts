/** Of an allowance for forwards that does not count. */
export const NO_EFFECT = 'no effect: [forwarded] enabled=false'

/** `value`, or the default, marked as such. */
export function ownOr(value: string | undefined, fallback: string): string {
  return value ?? `${fallback} (default)`
}
