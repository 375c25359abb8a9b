/** @throws Error where the server's reply differs from the story. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`unexpected reply: ${what}`)
}
