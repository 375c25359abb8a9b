/**
 * A package that most processes never need, loaded when it is first asked for. Not for own files: after an upgrade a running
 * process would mix two versions of them.
 *
 * @param load requires it.
 */
export function onDemand<T>(load: () => T): () => T {
  let loaded: T | undefined
  return () => (loaded ??= load())
}
