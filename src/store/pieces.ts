/** The list in pieces of at most `size`, in order: so that no single command holds Redis for long. */
export function* pieces<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size)
}
