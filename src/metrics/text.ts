import { FAMILIES, PREFIX, type FamilyName } from './families'

/** One series and its value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What is known of some metrics; one without a sample is left out of the text. */
export type Samples = Readonly<Partial<Record<FamilyName, readonly Sample[]>>>

/** One value without labels. */
export function single(value: number): readonly Sample[] {
  return [{ labels: {}, value }]
}

/** The content type of {@link metricsText}. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * The text that Prometheus reads (exposition format 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/).
 */
export function metricsText(samples: Samples): string {
  const lines = (Object.keys(FAMILIES) as FamilyName[]).flatMap((family) => {
    const known = samples[family] ?? []
    if (known.length === 0) return []
    const name = PREFIX + family
    const { type, help } = FAMILIES[family]
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...known.map(({ labels, value }) => `${name}${labelsText(labels)} ${value}`),
    ]
  })
  return lines.map((line) => `${line}\n`).join('')
}

function labelsText(labels: Sample['labels']): string {
  const parts = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

/** Nothing in a value ends it, or its line. */
function escaped(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}
