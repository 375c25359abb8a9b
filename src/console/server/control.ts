import { connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { InputError, messageOf, UserError } from '../../base/errors'
import { listenAt } from '../../base/listen'
import type { Role } from '../../records/role'

// Over a socket that only the user of the console and root can reach: one line of JSON each way.

/** What `tenantctl console link` and `sessions` ask a running console. */
export type Order =
  | { readonly do: 'link'; readonly role: Role; /** Who asks, for people. */ readonly for: string }
  | { readonly do: 'list' }
  /** `id` is absent: all. */
  | { readonly do: 'end'; readonly id?: string }

/** Octets of an order. */
const LONGEST = 4096
/** For an order and its answer, in ms. */
const PATIENCE = 5000

/** @throws {UserError} it cannot listen there: another console uses it. */
export async function serveControl(
  socket: string,
  answer: (order: Order) => unknown,
): Promise<Server> {
  const server = createServer(
    { allowHalfOpen: true },
    (connection) => void take(connection, answer),
  )
  await listenAt(server, { socket }, '[console] state', 0o600)
  return server
}

/**
 * Asks the console that runs.
 *
 * @throws {UserError} none runs, or this user may not ask it.
 */
export async function askConsole<T>(socket: string, order: Order): Promise<T> {
  const connection = connect(socket)
  connection.setTimeout(PATIENCE, () => connection.destroy(new Error('no answer')))
  try {
    connection.end(JSON.stringify(order))
    const { error, result } = JSON.parse(await text(connection)) as { error?: string; result: T }
    if (error !== undefined) throw new InputError(error)
    return result
  } catch (error) {
    if (error instanceof InputError) throw error
    throw unreachable(socket, error as NodeJS.ErrnoException)
  }
}

function unreachable(socket: string, { code, message }: NodeJS.ErrnoException): UserError {
  const why =
    code === 'ENOENT' || code === 'ECONNREFUSED'
      ? 'no console runs with this directory: start tenantctl console, or name its ini file with --config'
      : code === 'EACCES'
        ? 'only the user of the console and root may ask it'
        : message
  return new UserError(`${socket}: ${why}`, 1)
}

async function take(connection: Socket, answer: (order: Order) => unknown): Promise<void> {
  connection.setTimeout(PATIENCE, () => connection.destroy())
  connection.on('error', () => {})
  let asked = ''
  try {
    // A plain loop would destroy the connection at its end.
    for await (const piece of connection.iterator({ destroyOnReturn: false })) {
      asked += String(piece)
      if (asked.length > LONGEST) throw new Error('the order is too long')
    }
    connection.end(JSON.stringify({ result: answer(JSON.parse(asked) as Order) }))
  } catch (error) {
    connection.end(JSON.stringify({ error: messageOf(error) }))
  }
}
