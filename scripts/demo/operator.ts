import type { TestHaraka } from '../services/haraka'
import { tenantctl, type Run } from '../services/tenantctl'
import { check } from './check'
import type { Page } from './page'

/** Somebody at the relay's host, with the real program. */
export interface Operator {
  /** Types a command, without `tenantctl`, and shows what it wrote. @throws Error where it failed */
  types(line: string): Promise<void>
  /** The same, and nothing is shown. */
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

/** Splits as a shell would, as far as the story needs it: at spaces outside of double quotes. */
function splitWords(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
}
