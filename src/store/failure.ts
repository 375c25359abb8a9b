import { messageOf } from '../errors'

/** ioredis's words for what happens most, and ours. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/isn't writeable|Connection is closed|ClusterAllFailedError/i, 'no connection to Redis'],
  [/^Command timed out/, 'Redis did not answer in time'],
]

/** Why Redis gave no answer, in words for people. */
export function redisFailure(error: unknown): string {
  const message = messageOf(error)
  return WORDS.find(([pattern]) => pattern.test(message))?.[1] ?? message
}
