import { messageOf } from '../base/errors'
import { clean } from '../base/safe-text'
import { DELIVERED, type Outcome } from './channel'
import type { Post } from './formats/format'

/** Time limit of an attempt, in ms. */
const TIMEOUT = 10_000
/** How long an overloaded receiver is sent nothing if it does not say, in ms. */
const PAUSE = 30_000
const LONGEST_PAUSE = 3_600_000
const BUSY: readonly number[] = [429, 502, 504]

/** Makes one attempt. @param timeout in ms. */
export async function post({ url, headers, body }: Post, timeout = TIMEOUT): Promise<Outcome> {
  try {
    const response = await fetch(url, {
      ...{ method: 'POST', headers, body },
      // A redirect could send alerts to a place that is not configured.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout),
    })
    const outcome = judgeResponse(response.status, response.headers.get('retry-after'))
    // Only the status counts, and the body may be endless.
    await response.body?.cancel().catch(() => {})
    return outcome
  } catch (error) {
    return { kind: 'failed', reason: reasonOf(error, timeout) }
  }
}

/** By "Delivery success and failure" of Standard Webhooks. @param retryAfter the header (RFC 9110 §10.2.3). */
export function judgeResponse(status: number, retryAfter: string | null): Outcome {
  if (status >= 200 && status < 300) return DELIVERED
  if (status === 410) {
    return {
      kind: 'refused',
      reason: 'HTTP 410: the receiver no longer wants alerts; take its URL out',
    }
  }
  const reason =
    status >= 300 && status < 400
      ? `HTTP ${status}: redirects are not followed; write the final URL`
      : `HTTP ${status}`
  const asked = pauseAsked(retryAfter)
  const pause = asked ?? (BUSY.includes(status) ? PAUSE : undefined)
  return pause === undefined
    ? { kind: 'failed', reason }
    : { kind: 'failed', reason, pause: Math.min(pause, LONGEST_PAUSE) }
}

/** The pause that `Retry-After` asks for, in ms. */
function pauseAsked(retryAfter: string | null): number | undefined {
  if (retryAfter === null) return undefined
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000
  const pause = Date.parse(retryAfter) - Date.now()
  return Number.isNaN(pause) ? undefined : Math.max(0, pause)
}

/** Node's fetch says only "fetch failed"; the reason is in the cause. */
function reasonOf(error: unknown, timeout: number): string {
  const { name, cause } = error as { name?: unknown; cause?: { code?: unknown } }
  if (name === 'TimeoutError') return `no answer within ${timeout / 1000} s`
  if (cause === undefined) return clean(messageOf(error))
  return clean(typeof cause.code === 'string' ? cause.code : messageOf(cause))
}
