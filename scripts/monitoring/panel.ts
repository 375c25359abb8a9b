import type { PrometheusSeries } from '../services/prometheus'

/** A panel of `monitoring/dashboard.json`. */
export interface Panel {
  readonly type: 'stat' | 'timeseries' | 'bargauge' | 'table'
  readonly title: string
  /** Grafana divides the width in 24. */
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly targets: readonly { readonly expr: string; readonly legendFormat?: string }[]
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string
      readonly mappings?: readonly {
        readonly options: Readonly<Record<string, { text: string }>>
      }[]
      readonly thresholds?: { readonly steps: readonly { color: string; value: number | null }[] }
    }
  }
}

/** A series that Prometheus answered, with the name that the panel gives it. */
export interface Answer extends PrometheusSeries {
  readonly name: string
}

/** A panel with its answers. */
export interface Answered {
  readonly panel: Panel
  readonly answers: readonly Answer[]
}

/** The name of a series in the legend: `quantile {{quantile}}` with its labels. */
export function legend(format: string, labels: Readonly<Record<string, string>>): string {
  return format.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '')
}

/** A value as the panel writes it: `in force`, `12 ms`, `94 %`. */
export function written({ panel }: Pick<Answered, 'panel'>, value: number): string {
  const { unit, mappings = [] } = panel.fieldConfig.defaults
  const text = mappings.map(({ options }) => options[String(value)]?.text).find(Boolean)
  return text ?? inUnit(value, unit)
}

function inUnit(value: number, unit: string): string {
  if (unit === 'percentunit') return `${Math.round(value * 100)} %`
  if (unit === 'bytes') return `${short(value / 2 ** 20)} MiB`
  if (unit === 's' && value < 1) return `${short(value * 1000)} ms`
  return unit === 's' ? `${short(value)} s` : short(value)
}

function short(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

/** The colour of the last threshold that the value has reached. */
export function color({ panel }: Pick<Answered, 'panel'>, value: number): string {
  const steps = panel.fieldConfig.defaults.thresholds?.steps ?? []
  const name = steps.filter((step) => step.value === null || value >= step.value).at(-1)?.color
  // Of the palette of our charts, which colour-blind people can distinguish.
  return name === 'red' ? '#d55e00' : name === 'orange' ? '#b67d00' : '#00785a'
}
