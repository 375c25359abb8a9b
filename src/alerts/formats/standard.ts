import { createHmac } from 'node:crypto'
import { safeJson } from '../../base/safe-text'
import type { Alert } from '../../records/event'
import { jsonPost, type Format, type Post, type Target } from './format'

/** Of a symmetric secret; base64 follows. */
export const SECRET_PREFIX = 'whsec_'

/**
 * Standard Webhooks 1.0.0
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): for programs, so all is as it
 * was sent.
 */
export const FORMAT: Format = { post }

function post(alert: Alert, { url, secret, at }: Target): Post {
  const body = safeJson(
    { type: `unregistered_domain.${alert.kind}`, timestamp: alert.at, data: alert },
    0,
  )
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const signed = `${alert.id}.${timestamp}.${body}`
  return jsonPost(url, body, {
    'webhook-id': alert.id,
    'webhook-timestamp': timestamp,
    ...(secret === undefined ? {} : { 'webhook-signature': signatureOf(signed, secret) }),
  })
}

/** By "Signature scheme" of the specification: the symmetric one. */
function signatureOf(content: string, secret: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`
}
