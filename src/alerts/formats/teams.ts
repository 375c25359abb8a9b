import { safeJson } from '../../base/safe-text'
import type { Alert } from '../../records/event'
import { jsonPost, type Format, type Post, type Target } from './format'
import { OPEN, plainAlert } from './plain'

/**
 * An Adaptive Card for the workflow "when a Teams webhook request is received", in a message of 28 KB at most
 * (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/add-incoming-webhook). All text is in
 * TextRuns: "Markdown is not supported" there, as it is in TextBlock and FactSet
 * (https://github.com/microsoft/AdaptiveCards, schemas/src/elements/inlines/TextRun.json). Only what a card lists in
 * `msteams.entities` is a mention.
 */
export const FORMAT: Format = { post }

interface TextRun {
  readonly type: 'TextRun'
  readonly text: string
  readonly weight?: 'Bolder'
  readonly size?: 'Medium'
  readonly fontType?: 'Monospace'
}

interface RichTextBlock {
  readonly type: 'RichTextBlock'
  readonly inlines: readonly TextRun[]
  readonly spacing?: 'Small'
}

function post(alert: Alert, { url }: Target): Post {
  const { title, facts, next, url: page } = plainAlert(alert)
  const card = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    // The first one with RichTextBlock.
    version: '1.2',
    body: [
      block([run(title, { weight: 'Bolder', size: 'Medium' })]),
      ...facts.map(([name, value]) =>
        block([run(`${name}: `, { weight: 'Bolder' }), run(value)], { spacing: 'Small' }),
      ),
      block([run('What to do next:', { weight: 'Bolder' })]),
      ...next.map((step) => block([run(step, { fontType: 'Monospace' })], { spacing: 'Small' })),
    ],
    ...(page === undefined
      ? {}
      : { actions: [{ type: 'Action.OpenUrl', title: OPEN, url: page }] }),
  }
  const contentType = 'application/vnd.microsoft.card.adaptive'
  const attachments = [{ contentType, contentUrl: null, content: card }]
  return jsonPost(url, safeJson({ type: 'message', attachments }, 0))
}

function block(
  inlines: readonly TextRun[],
  more: Pick<RichTextBlock, 'spacing'> = {},
): RichTextBlock {
  return { type: 'RichTextBlock', inlines, ...more }
}

/** `{{DATE(…)}}` is a function of cards. */
function run(text: string, more: Omit<TextRun, 'type' | 'text'> = {}): TextRun {
  return { type: 'TextRun', text: text.replaceAll('{{', '{ {'), ...more }
}
