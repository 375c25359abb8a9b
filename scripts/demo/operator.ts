import type { TestHaraka } from '../services/haraka'
import { tenantctl, type Run } from '../services/tenantctl'
import { check } from './check'
import type { Page } from './page'

/** An operator on the relay's host, with the real program. */
export interface Operator {
  /** Runs a command, given without `tenantctl`, and shows its output. @throws Error where it failed */
  types(line: string): Promise<void>
  /** The same, without showing anything. */
  tries(line: string): Promise<Run>
}

export function operatorOf({ dir }: TestHaraka, page: Page): Operator {
  const tries = (line: string): Promise<Run> => tenantctl(splitWords(line), { cwd: dir })
  return {
    tries,
    types: async (line) => {
      const { status, stdout, stderr } = await tries(line)
      page.command(`tenantctl ${line}`, stdout + stderr)
      check(status === 0, `tenantctl ${line} ended with ${status}`)
    },
  }
}

/** Splits at spaces outside of double quotes, which is all the story needs of a shell. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}
