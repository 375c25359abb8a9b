import type { Format } from './formats/format'

/* eslint-disable @typescript-eslint/no-require-imports -- A process loads the formats of its channels only. Each depends on
   what an alert is and on nothing else, so one of an upgrade works as well. */

interface FormatRow {
  /** It rings a person: without a `min_severity` it gets High alerts only. */
  readonly pages: boolean
  /** Who knows its URL may post there: no secret of ours signs what is posted. */
  readonly secretUrl: boolean
  /** It is told what ends an event, whatever the kind and severity of that are. */
  readonly resolves: boolean
  readonly load: () => Format
}

const chat = { pages: false, secretUrl: true, resolves: false }
const pager = { ...chat, pages: true }

/** The formats of a channel with a URL. To add one: a file in `formats/`, and a row. */
export const FORMATS = {
  standard: { ...chat, secretUrl: false, load: () => from(require('./formats/standard')) },
  slack: { ...chat, load: () => from(require('./formats/slack')) },
  teams: { ...chat, load: () => from(require('./formats/teams')) },
  ntfy: { ...pager, load: () => from(require('./formats/ntfy')) },
  pagerduty: { ...pager, resolves: true, load: () => from(require('./formats/pagerduty')) },
} satisfies Record<string, FormatRow>

export type FormatName = keyof typeof FORMATS
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[]

function from(module: unknown): Format {
  return (module as { FORMAT: Format }).FORMAT
}
