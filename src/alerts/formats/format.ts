import type { Alert } from '../../records/event'

/** Where an alert is posted to. */
export interface Target {
  readonly url: string
  /** `whsec_…`; `undefined`: nothing is signed. */
  readonly secret: string | undefined
  /** Time of this attempt. */
  readonly at: Date
}

/** An HTTP POST. */
export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** How a receiver wants an alert. */
export interface Format {
  /** What is wrong with a URL for it, without repeating it; `undefined`: nothing. */
  mistake?(url: URL): string | undefined
  post(alert: Alert, target: Target): Post
}

const HEADERS = {
  'content-type': 'application/json',
  'user-agent': 'haraka-plugin-unregistered-domain',
}

/** @param json see `base/safe-text.ts`, `safeJson`. */
export function jsonPost(
  url: string,
  json: string,
  headers: Readonly<Record<string, string>> = {},
): Post {
  return { url, headers: { ...HEADERS, ...headers }, body: json }
}
