import type { Command } from 'ioredis'

/** As ioredis says it (Command.js, setTimeout). */
const TIMED_OUT = 'Command timed out'

/**
 * Lets a command whose time is over still have the answer that is there already. Node's event loop looks at its timers
 * before it looks at its sockets, so after a long turn (a large message that a plugin reads) ioredis would throw the
 * answers away that came meanwhile, and say of a Redis that was quick that it was slow.
 */
export function giveAnswersTheirTurn(command: Command): void {
  const { reject } = command
  command.reject = (error) => {
    if (error.message !== TIMED_OUT) return reject(error)
    setImmediate(() => {
      if (!command.isSettled) reject(error)
    })
  }
}
