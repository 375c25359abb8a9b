import { safeJson, shortened } from '../../base/safe-text'
import type { Alert, Severity } from '../../records/event'
import { jsonPost, type Format, type Post, type Target } from './format'
import { plainAlert } from './plain'

/** Octets of a message; a longer one becomes an attachment (https://docs.ntfy.sh/publish/#limitations). */
const LONGEST_MESSAGE = 4096

/** From 1 (min) to 5 (max) (https://docs.ntfy.sh/publish/#message-priority). */
const PRIORITIES: Readonly<Record<Severity, number>> = {
  High: 5,
  Medium: 4,
  Low: 3,
  Informational: 2,
}

/** The end of a path: `topicPathRegex` of ntfy's server/server.go. */
const TOPIC = /^(.*\/)([-_A-Za-z0-9]{1,64})$/

/**
 * A message published as JSON (https://docs.ntfy.sh/publish/#publish-as-json): no text of it is in a header. It is posted to
 * the server, and names the topic. `?auth=` in the URL stays there (https://docs.ntfy.sh/publish/#query-param).
 */
export const FORMAT: Format = {
  mistake: ({ pathname }) =>
    TOPIC.test(pathname) ? undefined : 'has no topic: write https://HOST/TOPIC',
  post,
}

function post(alert: Alert, target: Target): Post {
  const { title, facts, next, url: click } = plainAlert(alert)
  const url = new URL(target.url)
  const [, path = '/', topic = ''] = TOPIC.exec(url.pathname) ?? []
  url.pathname = path
  const lines = [...facts.map(([name, value]) => `${name}: ${value}`), '', ...next]
  const message = {
    topic,
    title,
    message: within(lines),
    priority: PRIORITIES[alert.severity],
    tags: [shortened(alert.kind, 40)],
    markdown: false,
    ...(click === undefined ? {} : { click }),
  }
  return jsonPost(url.href, safeJson(message, 0))
}

/** As many of the lines as fit. */
function within(lines: readonly string[]): string {
  let length = 0
  return lines
    .filter((line) => (length += Buffer.byteLength(line) + 1) <= LONGEST_MESSAGE)
    .join('\n')
}
