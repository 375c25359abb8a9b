import { EventEmitter } from 'node:events'
import type { Redis } from 'ioredis'
import type { Client } from '../../src/store/store'

/** The fate of a message. `late`: it arrives after the next one, or with the next answer to a PING. */
export type Fate = 'heard' | 'lost' | 'twice' | 'late'

/**
 * A subscriber that loses, repeats or delays messages. Redis itself only loses messages while a connection is down.
 *
 * @param fateOf called for each message.
 */
export function unreliable(subscriber: Redis, fateOf: (message: string) => Fate): Client {
  const heard = new EventEmitter()
  let late: [channel: string, message: string] | undefined
  const deliverLate = (): void => {
    if (late) heard.emit('message', ...late)
    late = undefined
  }
  subscriber.on('message', (channel, message) => {
    const fate = fateOf(message)
    if (fate === 'late' && !late) {
      late = [channel, message]
      return
    }
    if (fate !== 'lost') heard.emit('message', channel, message)
    if (fate === 'twice') heard.emit('message', channel, message)
    deliverLate()
  })
  return new Proxy(subscriber, {
    get(target, property) {
      if (property === 'on') {
        return (event: string, listener: (...args: unknown[]) => void) =>
          (event === 'message' ? heard : target).on(event, listener)
      }
      // An answer arrives after all earlier messages.
      if (property === 'ping') return () => target.ping().finally(deliverLate)
      const value: unknown = Reflect.get(target, property)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
