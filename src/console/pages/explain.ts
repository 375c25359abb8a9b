import { Ledger } from '../../allowance/ledger'
import { tenantctl } from '../../base/command-line'
import { COMMAND_TIMEOUT } from '../../cli/kit/store'
import { VERDICT_TONES, verdictText } from '../../cli/views/explain'
import { toPause, withPause } from '../../enforcement/in-effect'
import { readPause } from '../../enforcement/pause'
import { explainMessage, type Explanation } from '../../explain/explain'
import { questionOf, type Asked } from '../../explain/question'
import { asking, type Field } from '../kit/forms'
import { html, NOTHING, type Html } from '../kit/html'
import { knownConnectors } from '../kit/known-connectors'
import type { Page, Visit } from '../kit/page'
import { facts, heading, outside, sameCommand, state, type Tone } from '../kit/parts'

const FIELDS = [
  ['from', 'Envelope sender', 'Empty: the null sender'],
  ['to', 'Recipient', 'Empty: one outside of the tenant'],
  ['ip', 'Source address', undefined],
  ['auth', 'SMTP AUTH user', undefined],
  ['cert', 'DNS name of a verified certificate', undefined],
] as const

/** What would happen to a message, step by step; nothing is sent, and nothing changed. */
export const EXPLAIN: Page = {
  path: '/explain',
  least: 'viewer',
  async show(visit) {
    const { query } = visit
    const fields = FIELDS.map(([name, label, hint]): Field => {
      const value = query.get(name)?.trim() ?? ''
      return { kind: 'text', name, label, value, ...(hint !== undefined && { hint }) }
    })
    return {
      title: 'Explain',
      rest: html`${heading(visit, 'explain', 1)} ${asking(visit, ['explain'], fields, 'Explain')}
      ${query.has('from') ? await explained(visit) : NOTHING}`,
    }
  },
}

async function explained(visit: Visit): Promise<Html> {
  const { store, config, query } = visit
  const asked: Asked = {
    ...Object.fromEntries(
      [...query].map(([name, value]) => [name, value.trim()] as const).filter(([, value]) => value),
    ),
    from: query.get('from')!.trim(),
  }
  const explanation = await explainMessage(questionOf(asked), {
    directory: await knownConnectors(visit),
    ledger: new Ledger(store, COMMAND_TIMEOUT),
    config: withPause(config, toPause(await readPause(store))),
  })
  const options = FIELDS.flatMap(([name]) => {
    const value = asked[name]
    return value === undefined ? [] : [`--${name}`, value]
  })
  return html`${facts([
    ...explanation.steps.map(({ about, finding }) => [about, outside(finding)] as const),
    ['class', explanation.class ?? '-'],
    ['verdict', verdictOf(explanation)],
  ])}
  ${sameCommand(tenantctl('explain', ...options))}`
}

function verdictOf(explanation: Explanation): Html {
  const tone = VERDICT_TONES[explanation.verdict]
  const text = verdictText(explanation)
  return tone === undefined ? html`${text}` : state(text, tone as Tone)
}
