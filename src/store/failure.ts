import { messageOf } from '../errors'

/** ioredis's words for what happens most, and ours. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /isn't writeable|isn't ready|Connection is closed|Failed to refresh slots/i,
    'no connection to Redis',
  ],
  [/^Command timed out/, 'Redis did not answer in time'],
]

/** Why Redis gave no answer, in words for people. */
export function redisFailure(error: unknown): string {
  const message = messageOf(error)
  return WORDS.find(([pattern]) => pattern.test(message))?.[1] ?? message
}

/**
 * The word by which Redis names an error: `ERR`, `READONLY` … Before Redis 7 that of a script's command stands inside
 * of an `ERR Error running script`.
 */
export function errorCode(error: unknown): string | undefined {
  const message = messageOf(error)
  const match = /^ERR Error running script.* -([A-Z]+) /.exec(message) ?? /^([A-Z]+) /.exec(message)
  return match?.[1]
}
