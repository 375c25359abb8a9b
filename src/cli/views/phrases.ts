/** `value`, or the default and a word that it is one. */
export function ownOr(value: string | undefined, fallback: string): string {
  return value ?? `${fallback} (default)`
}
