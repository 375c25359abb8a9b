import type { TestPrometheus } from '../services/prometheus'
import { legend, type Answer, type Answered, type Panel } from './panel'

/** What Prometheus has recorded, in s since the epoch. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Asks Prometheus for what a panel shows. */
export async function ask(
  prometheus: TestPrometheus,
  panel: Panel,
  { start, end }: Span,
): Promise<Answered> {
  // A point for each few px.
  const step = Math.max(1, Math.round((end - start) / 80))
  const answers: Answer[] = []
  for (const { expr, legendFormat = '' } of panel.targets) {
    // Grafana chooses four scrapes or more. The exporter's answer is up to 5 s old, and so are the counters.
    const asked = expr.replaceAll('$__rate_interval', '30s')
    const series =
      panel.type === 'timeseries'
        ? await prometheus.queryRange(asked, { start, end, step })
        : await prometheus.query(asked)
    for (const one of series) answers.push({ ...one, name: legend(legendFormat, one.metric) })
  }
  return { panel, answers }
}
