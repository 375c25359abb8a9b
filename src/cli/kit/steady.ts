import { addressOf, connect } from '../../store/connection'
import type { RedisSettings } from '../../store/settings'
import type { Client } from '../../store/store'

/**
 * The connection of a command that runs on while Redis is away: it says so once, and once that Redis answers again.
 *
 * @param note prints a line on stderr.
 */
export function connectSteadily(redis: RedisSettings, note: (line: string) => void): Client {
  let away = false
  const place = `Redis at ${addressOf(redis)}`
  const client = connect(redis, (problem) => {
    if (!away) note(`${place}: ${problem}`)
    away = true
  })
  client.on('ready', () => {
    if (away) note(`${place} answers again`)
    away = false
  })
  return client
}
