const MOST_ATTEMPTS = 20

/**
 * Repeats what is void if others make a change at the same time.
 *
 * @param subject with its verb, for the message: `connectors were`.
 * @param attempt resolves to `undefined` if it was void.
 * @throws after 20 attempts; what `attempt` throws.
 */
export async function retryConcurrent<T>(
  subject: string,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  for (let number = 1; number <= MOST_ATTEMPTS; number++) {
    const result = await attempt()
    if (result !== undefined) return result
  }
  throw new Error(`${subject} changed concurrently ${MOST_ATTEMPTS} times in a row; try again`)
}
