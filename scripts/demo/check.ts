/** @throws Error where the server answers otherwise than the story tells. */
export function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`the story went another way: ${what}`)
}
