import assert from 'node:assert/strict'

// What chats and pagers accept, by their documentation. A receiver of another version takes more; these are what we rely on.

/** Finds the keys that an object has; all others are a mistake. */
function only(value: unknown, required: readonly string[], optional: readonly string[] = []): void {
  assert.ok(typeof value === 'object' && value !== null, String(value))
  const keys = Object.keys(value)
  for (const key of required) assert.ok(keys.includes(key), `${key} of ${JSON.stringify(value)}`)
  for (const key of keys) assert.ok([...required, ...optional].includes(key), key)
}

function text(value: unknown, most: number): string {
  assert.ok(typeof value === 'string' && value !== '', String(value))
  assert.ok(value.length <= most, `${value.length} characters`)
  return value
}

interface SlackText {
  type: string
  text: string
  emoji: boolean
}

interface SlackMessage {
  text: string
  blocks: ({ type: string; text: SlackText } | { type: string; fields: SlackText[] })[]
}

/**
 * Block Kit (https://docs.slack.dev/reference/block-kit/blocks/section-block and …/composition-objects/text-object), 50 blocks
 * a message.
 *
 * @returns all texts as people read them.
 */
export function readSlack(body: string): { blocks: string[]; text: string } {
  const message = JSON.parse(body) as SlackMessage
  only(message, ['text', 'blocks', 'unfurl_links', 'unfurl_media'])
  text(message.text, 16_383)
  assert.ok(message.blocks.length <= 50)
  const blocks = message.blocks.flatMap((block) => {
    assert.equal(block.type, 'section')
    if ('text' in block) {
      only(block, ['type', 'text'])
      return [readPlainText(block.text, 3000)]
    }
    only(block, ['type', 'fields'])
    assert.ok(block.fields.length >= 1 && block.fields.length <= 10)
    return block.fields.map((field) => readPlainText(field, 2000))
  })
  return { blocks, text: unescaped(message.text) }
}

function readPlainText(value: SlackText, most: number): string {
  only(value, ['type', 'text', 'emoji'])
  // Of the types plain_text and mrkdwn, this one has no mentions, links or styles.
  assert.deepEqual([value.type, value.emoji], ['plain_text', false])
  return unescaped(text(value.text, most))
}

/** Nothing but the three entities is left of control characters. */
function unescaped(escaped: string): string {
  assert.doesNotMatch(escaped, /[<>]|&(?!(?:amp|lt|gt);)/)
  return escaped.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

interface TextRun {
  type: string
  text: string
}

interface TeamsMessage {
  type: string
  attachments: {
    contentType: string
    contentUrl: null
    content: { type: string; version: string; body: { type: string; inlines: TextRun[] }[] }
  }[]
}

/**
 * A message with an Adaptive Card 1.2 of RichTextBlocks, by https://github.com/microsoft/AdaptiveCards, schemas of 1.2.1; 28 KB
 * (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook).
 *
 * @returns the text of each block.
 */
export function readTeams(body: string): string[] {
  assert.ok(Buffer.byteLength(body) <= 28 * 1024, `${Buffer.byteLength(body)} octets`)
  const message = JSON.parse(body) as TeamsMessage
  only(message, ['type', 'attachments'])
  assert.deepEqual([message.type, message.attachments.length], ['message', 1])
  const { contentType, contentUrl, content } = message.attachments[0]!
  assert.deepEqual([contentType, contentUrl], ['application/vnd.microsoft.card.adaptive', null])
  only(content, ['type', 'version', 'body', '$schema'])
  assert.deepEqual([content.type, content.version], ['AdaptiveCard', '1.2'])
  return content.body.map((block) => {
    only(block, ['type', 'inlines'], ['spacing'])
    assert.equal(block.type, 'RichTextBlock')
    return block.inlines.map(readRun).join('')
  })
}

function readRun(run: TextRun): string {
  only(run, ['type', 'text'], ['weight', 'size', 'fontType'])
  assert.deepEqual([run.type, typeof run.text], ['TextRun', 'string'])
  return run.text
}

interface NtfyMessage {
  topic: string
  title: string
  message: string
  priority: number
  tags: string[]
  markdown: boolean
}

/** A message published as JSON (https://docs.ntfy.sh/publish/#publish-as-json and …/#limitations). */
export function readNtfy(body: string): NtfyMessage {
  const message = JSON.parse(body) as NtfyMessage
  only(message, ['topic', 'title', 'message', 'priority', 'tags', 'markdown'])
  assert.match(message.topic, /^[-_A-Za-z0-9]{1,64}$/)
  assert.ok(Buffer.byteLength(text(message.message, Infinity)) <= 4096)
  assert.ok([1, 2, 3, 4, 5].includes(message.priority))
  assert.equal(message.markdown, false)
  text(message.title, 1000)
  return message
}

export interface PagerdutyEvent {
  routing_key: string
  event_action: string
  dedup_key: string
  payload?: { summary: string; source: string; severity: string; custom_details: object }
}

/** An alert event (https://developer.pagerduty.com/docs/send-alert-event), 512 KB at most. */
export function readPagerduty(body: string): PagerdutyEvent {
  assert.ok(Buffer.byteLength(body) <= 512 * 1024)
  const event = JSON.parse(body) as PagerdutyEvent
  only(event, ['routing_key', 'event_action', 'dedup_key'], ['payload'])
  assert.match(event.routing_key, /^.{32}$/)
  text(event.dedup_key, 255)
  if (event.event_action === 'resolve') {
    assert.equal(event.payload, undefined)
    return event
  }
  assert.equal(event.event_action, 'trigger')
  const { payload } = event
  const optional = ['timestamp', 'component', 'class', 'custom_details']
  only(payload, ['summary', 'source', 'severity'], optional)
  text(payload!.summary, 1024)
  text(payload!.source, Infinity)
  assert.ok(['critical', 'error', 'warning', 'info'].includes(payload!.severity))
  return event
}
