/** `value`, or the default, marked as such. */
export function ownOr(value: string | undefined, fallback: string): string {
  return value ?? `${fallback} (default)`
}
