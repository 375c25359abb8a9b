import { safeJson } from '../../base/safe-text'
import type { Alert } from '../../records/event'
import { jsonPost, type Format, type Post, type Target } from './format'
import { OPEN, plainAlert, type PlainAlert } from './plain'

/** Characters of the text of a section (https://docs.slack.dev/reference/block-kit/blocks/section-block). */
const LONGEST_TEXT = 3000
/** Fields of a section, likewise. */
const MOST_FIELDS = 10
/** Characters. Mattermost posts 16,383 at once, Slack 40,000. */
const LONGEST_MESSAGE = 12_000

/**
 * A message of Slack's Block Kit. Mattermost knows no blocks and shows `text`; Slack shows that in notifications only
 * (https://docs.mattermost.com/developers/integrate/slash-commands/slack: it "always converts markdown"). So text and blocks
 * say the same, and nothing in the text is Markdown.
 */
export const FORMAT: Format = { post }

type Block =
  | { readonly type: 'section'; readonly text: PlainText | Link }
  | { readonly type: 'section'; readonly fields: readonly PlainText[] }

interface Link {
  readonly type: 'mrkdwn'
  readonly text: string
}

interface PlainText {
  readonly type: 'plain_text'
  readonly text: string
  readonly emoji: false
}

function post(alert: Alert, { url }: Target): Post {
  const plain = plainAlert(alert)
  const message = {
    text: textOf(plain),
    blocks: blocksOf(plain),
    unfurl_links: false,
    unfurl_media: false,
  }
  return jsonPost(url, safeJson(message, 0))
}

function blocksOf({ title, facts, next, url }: PlainAlert): Block[] {
  const fields = facts.map(([name, value]) => plainText(`${name}\n${value}`))
  const rows: Block[] = []
  for (let at = 0; at < fields.length; at += MOST_FIELDS) {
    rows.push({ type: 'section', fields: fields.slice(at, at + MOST_FIELDS) })
  }
  const steps = within(['What to do next:', ...next], LONGEST_TEXT)
  return [
    { type: 'section', text: plainText(title) },
    ...rows,
    { type: 'section', text: plainText(steps) },
    ...(url === undefined
      ? []
      : [{ type: 'section', text: { type: 'mrkdwn', text: `<${url}|${OPEN}>` } } as const]),
  ]
}

function plainText(text: string): PlainText {
  return { type: 'plain_text', text: escaped(text), emoji: false }
}

/** In a code block, where neither Slack nor Mattermost nor Rocket.Chat finds mentions or links; the title is before it. */
function textOf({ title, facts, next, url }: PlainAlert): string {
  const lines = [...facts.map(([name, value]) => `${name}: ${value}`), '', ...next]
  const code = within(lines, LONGEST_MESSAGE)
  const link = url === undefined ? '' : `\n${url}`
  return escaped(`${noCode(title)}\n\`\`\`\n${noCode(code)}\n\`\`\`${link}`)
}

/** Nothing in it begins or ends a code block. */
function noCode(text: string): string {
  return text.replaceAll('`', "'")
}

/** As many of the lines as have, escaped, so many characters. */
function within(lines: readonly string[], most: number): string {
  let length = 0
  const fits = lines.filter((line) => (length += escaped(line).length + 1) <= most)
  return fits.join('\n')
}

/** The three that Slack takes for control characters (https://docs.slack.dev/messaging/formatting-message-text). */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
