import { confirmationLines, type ChangeMade } from '../../cli/views/confirmation'
import { isConfirmed, type Confirmation } from '../../nodes/confirm'
import type { Done } from './action'

/** What was done, and in how many processes it is in force. @param more what else a person must know. */
export function inForce(
  line: string,
  confirmation: Confirmation,
  change: ChangeMade,
  more: readonly string[] = [],
): Done {
  return {
    tone: isConfirmed(confirmation) ? 'good' : 'warn',
    lines: [line, ...confirmationLines(confirmation, change), ...more],
  }
}
