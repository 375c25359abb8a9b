import type { Redis } from 'ioredis'

/** How long after its beginning a connection that is not ready yet is looked at, in ms. */
const LOOK_AFTER = 1000
/** What a Redis that refuses a connection answers instead of all else begins with it. */
const ERROR_REPLY = '-'

/**
 * Tells what ioredis keeps to itself of a connection that does not become ready: what Redis said before it closed it
 * (`max number of clients reached`, protected mode), that it was closed without a word, and that Redis is loading.
 *
 * @param tellsClosing false where ioredis itself closes connections that are up, as it does while sentinels name a
 *   primary that is none.
 */
export function watchHandshake(
  client: Redis,
  tellsClosing: boolean,
  onError: (message: string) => void,
): void {
  let refusal: string | undefined
  let isToldOf = false
  let timer: NodeJS.Timeout | undefined

  client.on('connecting', () => {
    refusal = undefined
    isToldOf = false
  })
  client.on('error', () => (isToldOf = true))
  client.on('connect', () => {
    client.stream.once('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1', 0, 200)
      if (text.startsWith(ERROR_REPLY)) refusal = /^-(.*)/.exec(text)?.[1]
    })
    timer = setTimeout(() => void look(client, onError), LOOK_AFTER).unref()
  })
  client.on('ready', () => {
    clearTimeout(timer)
    isToldOf = true
  })
  client.on('close', () => {
    clearTimeout(timer)
    // `end`: we have closed it.
    if (isToldOf || client.status === 'end') return
    if (refusal !== undefined) onError(refusal)
    else if (tellsClosing) onError('Connection closed before it was ready')
  })
}

async function look(client: Redis, onError: (message: string) => void): Promise<void> {
  // What does not answer to that either is told by the time that its other commands take.
  const info = await client.info('persistence').catch(() => '')
  if (/^loading:1/m.test(info)) onError('LOADING Redis is loading the dataset in memory')
}
