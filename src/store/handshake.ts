import type { Redis } from 'ioredis'

/** A connection that is not ready by then, in ms, is examined. */
const LOOK_AFTER = 1000
/** An error reply begins with it. */
const ERROR_REPLY = '-'

/**
 * Reports what ioredis does not report of a connection that does not become ready: what Redis said before it closed it
 * (`max number of clients reached`, protected mode), that Redis closed it silently, and that Redis is loading.
 *
 * @param reportsClosing false where ioredis itself closes open connections, as it does while sentinels name a primary
 *   that is a replica.
 */
export function watchHandshake(
  client: Redis,
  reportsClosing: boolean,
  onError: (message: string) => void,
): void {
  let refusal: string | undefined
  let isReported = false
  let timer: NodeJS.Timeout | undefined

  client.on('connecting', () => {
    refusal = undefined
    isReported = false
  })
  client.on('error', () => (isReported = true))
  client.on('connect', () => {
    client.stream.once('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1', 0, 200)
      if (text.startsWith(ERROR_REPLY)) refusal = /^-(.*)/.exec(text)?.[1]
    })
    timer = setTimeout(() => void examine(client, onError), LOOK_AFTER).unref()
  })
  client.on('ready', () => {
    clearTimeout(timer)
    isReported = true
  })
  client.on('close', () => {
    clearTimeout(timer)
    // `end`: this process has closed it.
    if (isReported || client.status === 'end') return
    if (refusal !== undefined) onError(refusal)
    else if (reportsClosing) onError('Connection closed before it was ready')
  })
}

async function examine(client: Redis, onError: (message: string) => void): Promise<void> {
  // Where this gets no answer, the timeouts of other commands report it.
  const info = await client.info('persistence').catch(() => '')
  if (/^loading:1/m.test(info)) onError('LOADING Redis is loading the dataset in memory')
}
