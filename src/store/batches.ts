/** The list in pieces of at most `size`, in order: so that no single command holds Redis for long. */
export function* pieces<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size)
}

/** What `each` makes of all of them, in order, with at most `size` of them under way. */
export async function mapInPieces<T, R>(
  list: readonly T[],
  size: number,
  each: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  for (const piece of pieces(list, size)) results.push(...(await Promise.all(piece.map(each))))
  return results
}
