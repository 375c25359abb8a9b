import { safeJson } from '../../base/safe-text'
import type { Alert, Severity } from '../../records/event'
import { jsonPost, type Format, type Post, type Target } from './format'
import { OPEN, plainAlert } from './plain'

const SEVERITIES: Readonly<Record<Severity, string>> = {
  High: 'critical',
  Medium: 'error',
  Low: 'warning',
  Informational: 'info',
}

/** An integration key: 32 characters. */
const KEY = /^[A-Za-z0-9]{32}$/
const PARAMETER = 'routing_key'

/**
 * An alert event of PagerDuty's Events API v2
 * (https://developer.pagerduty.com/docs/send-alert-event). An event triggers an incident under the id of its alert, which is
 * that of its first event, and the end of that one resolves it. The URL has the key as a parameter, which is posted in the body
 * only.
 */
export const FORMAT: Format = {
  mistake: ({ searchParams }) =>
    KEY.test(searchParams.get(PARAMETER) ?? '')
      ? undefined
      : `has no ${PARAMETER} of 32 characters: write https://events.pagerduty.com/v2/enqueue?${PARAMETER}=KEY`,
  post,
}

function post(alert: Alert, target: Target): Post {
  const url = new URL(target.url)
  const routing = { routing_key: url.searchParams.get(PARAMETER) }
  url.searchParams.delete(PARAMETER)
  const event = alert.resolves
    ? { ...routing, event_action: 'resolve', dedup_key: alert.resolves }
    : {
        ...routing,
        event_action: 'trigger',
        dedup_key: incidentOf(alert),
        payload: payloadOf(alert),
        ...(alert.url === undefined ? {} : { links: [{ href: alert.url, text: OPEN }] }),
      }
  return jsonPost(url.href, safeJson(event, 0))
}

/** The event that began it. */
function incidentOf({ alert, continues }: Alert): string {
  return continues ?? alert
}

function payloadOf(alert: Alert): object {
  const { title, facts, next } = plainAlert(alert)
  return {
    summary: title,
    source: alert.tenant === '' ? 'relay' : alert.tenant,
    severity: SEVERITIES[alert.severity],
    timestamp: alert.at,
    component: 'haraka-plugin-unregistered-domain',
    class: alert.kind,
    custom_details: { ...Object.fromEntries(facts), next },
  }
}
