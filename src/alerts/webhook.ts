import { createHmac } from 'node:crypto'
import { messageOf } from '../base/errors'
import type { Alert } from '../records/event'
import { clean, safeJson } from '../base/safe-text'
import { DELIVERED, type Channel, type Outcome } from './channel'
import { SECRET_PREFIX, type AlertSettings } from './settings'
import { unlessTested } from './test-alert'

/** Time limit of an attempt, in ms. */
const TIMEOUT = 10_000
/** How long an overloaded receiver is sent nothing if it does not say, in ms. */
const PAUSE = 30_000
const LONGEST_PAUSE = 3_600_000
const BUSY: readonly number[] = [429, 502, 504]

/**
 * Posts alerts to a URL by the Standard Webhooks specification 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
export class WebhookChannel implements Channel {
  readonly name = 'webhook'

  constructor(
    private readonly settings: () => AlertSettings,
    private readonly timeout = TIMEOUT,
  ) {}

  destination(): string {
    return this.settings().webhook
  }

  async deliver(alert: Alert): Promise<Outcome> {
    const settings = this.settings()
    const { webhook, webhookSecret } = settings
    if (webhook === '' || webhookSecret === undefined) {
      return { kind: 'failed', reason: 'it has been switched off' }
    }
    const untested = unlessTested(alert, settings)
    if (untested) return untested
    try {
      const response = await fetch(webhook, {
        ...webhookRequest(alert, webhookSecret, new Date()),
        // A redirect could send alerts to a place that is not configured.
        redirect: 'manual',
        signal: AbortSignal.timeout(this.timeout),
      })
      const outcome = judgeResponse(response.status, response.headers.get('retry-after'))
      // Only the status counts, and the body may be endless.
      await response.body?.cancel().catch(() => {})
      return outcome
    } catch (error) {
      return { kind: 'failed', reason: reasonOf(error, this.timeout) }
    }
  }
}

/** The signed request. @param at time of this attempt. */
export function webhookRequest(
  alert: Alert,
  secret: string,
  at: Date,
): { method: 'POST'; headers: Record<string, string>; body: string } {
  const body = safeJson(
    { type: `unregistered_domain.${alert.kind}`, timestamp: alert.at, data: alert },
    0,
  )
  const timestamp = Math.floor(at.getTime() / 1000)
  return {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'user-agent': 'haraka-plugin-unregistered-domain',
      'webhook-id': alert.id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signatureOf(`${alert.id}.${timestamp}.${body}`, secret),
    },
    body,
  }
}

/** By "Signature scheme" of the specification: the symmetric one. */
function signatureOf(content: string, secret: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`
}

/** By "Delivery success and failure" of the specification. @param retryAfter the header (RFC 9110 §10.2.3). */
export function judgeResponse(status: number, retryAfter: string | null): Outcome {
  if (status >= 200 && status < 300) return DELIVERED
  if (status === 410) {
    return {
      kind: 'refused',
      reason: 'HTTP 410: the receiver no longer wants alerts; remove webhook',
    }
  }
  const reason =
    status >= 300 && status < 400
      ? `HTTP ${status}: redirects are not followed; set webhook to the final URL`
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
