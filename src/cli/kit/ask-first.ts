import type { Context } from './context'

/**
 * Asks at a terminal before something that cannot be taken back. In a script, and with `--yes`, nothing is asked: that
 * the command was given is the answer.
 *
 * @param yes `--yes` was given.
 * @param lines what will go, one fact a line; called only where it is asked.
 * @param question ends with `[y/N]`.
 * @returns whether to go on.
 */
export async function askFirst(
  context: Context,
  {
    yes,
    lines,
    question,
  }: {
    readonly yes: boolean
    readonly lines: () => Promise<readonly string[]>
    readonly question: string
  },
): Promise<boolean> {
  if (yes || !context.io.asks) return true
  for (const line of await lines()) context.note(line)
  return context.confirmed(`${question} [y/N] `)
}
