import type { Redis } from 'ioredis'

/**
 * Makes a client send all commands of one turn of the event loop in one write, in order: a system call for each
 * command costs more than the commands.
 */
export function coalesceWrites(client: Redis): Redis {
  // Each caller may await it.
  client.setMaxListeners(0)
  client.on('ready', () => {
    const { stream } = client
    const write = stream.write.bind(stream)
    let waiting = false
    stream.write = ((...args: Parameters<typeof write>) => {
      if (!waiting) {
        waiting = true
        stream.cork()
        setImmediate(() => {
          waiting = false
          stream.uncork()
        })
      }
      return write(...args)
    }) as typeof write
  })
  return client
}
