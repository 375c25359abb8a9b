import { isoDay, isoMinute } from '../../base/time'
import { DAY } from '../../reporting/calendar'
import { html, type Html } from './html'
import { day, table, time } from './parts'

/** The most series of one chart: console.css has a colour for each. */
export const MOST_SERIES = 6

/** What is stacked in each bar. */
export interface Series {
  readonly name: string
  /** One for each bar: whole numbers. */
  readonly values: readonly number[]
}

/** Bars over time. */
export interface Chart {
  /** Unique on its page, and the same each time: what is live is sent only where it has changed. */
  readonly id: string
  readonly title: string
  /** What is counted, such as `recipients`. */
  readonly unit: string
  /** The start of each bar in ms, oldest first. */
  readonly starts: readonly number[]
  /** How long each bar lasts, in ms. */
  readonly step: number
  /** From the bottom up. */
  readonly series: readonly Series[]
}

/** Of the drawing; the page scales it. */
const WIDTH = 720
const HEIGHT = 160

/** Stacked bars over time, and their numbers as a table. */
export function barChart({ id, title, unit, starts, step, series }: Chart): Html {
  const sums = starts.map((_, at) => series.reduce((sum, { values }) => sum + values[at]!, 0))
  const most = Math.max(0, ...sums)
  const isDaily = step >= DAY
  const shown = isDaily ? day : time
  const spoken = (ms: number): string => (isDaily ? isoDay(ms) : isoMinute(ms))
  const place = WIDTH / Math.max(1, starts.length)
  const all = sums.reduce((sum, each) => sum + each, 0)
  return html`<figure class="chart">
    <figcaption>
      ${title}
      <ul class="legend">
        ${series.map(({ name }, at) => html`<li class="series-${at + 1}">${name}</li>`)}
      </ul>
    </figcaption>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      preserveAspectRatio="none"
      role="img"
      aria-labelledby="${id}-title ${id}-desc"
    >
      <title id="${id}-title">${title}</title>
      <desc id="${id}-desc">
        ${starts.length} bars, ${all} ${unit} in all, at most ${most} in one bar. The table below
        has the numbers.
      </desc>
      ${starts.map(
        (start, at) =>
          html`<g>
            <title>${spoken(start)}: ${sums[at]} ${unit}</title>
            ${stack(
              series.map(({ values }) => values[at]!),
              most,
              { x: place * at, width: place },
            )}
          </g>`,
      )}
    </svg>
    <p class="axis">
      <span>${starts.length > 0 ? shown(starts[0]!) : ''}</span>
      <span>highest bar: ${most} ${unit}</span>
      <span>${starts.length > 1 ? shown(starts.at(-1)!) : ''}</span>
    </p>
    <details>
      <summary>The numbers</summary>
      ${table(
        `${title}, in numbers`,
        [
          isDaily ? 'Day (UTC)' : 'From',
          ...series.map(({ name }) => ({ title: name, isNumber: true })),
        ],
        starts.map((start, at) => [shown(start), ...series.map(({ values }) => values[at]!)]),
        `No ${unit}.`,
      )}
    </details>
  </figure>`
}

/** One bar. A part that is not 0 can always be seen. */
function stack(
  parts: readonly number[],
  most: number,
  { x, width }: { readonly x: number; readonly width: number },
): Html[] {
  let y = HEIGHT
  return parts.flatMap((part, at) => {
    if (part === 0) return []
    const height = Math.max(1, (HEIGHT * part) / most)
    y -= height
    const bar = [x + width * 0.1, y, width * 0.8, height].map((each) => each.toFixed(1))
    return [
      html`<rect
        class="series-${at + 1}"
        x="${bar[0]}"
        y="${bar[1]}"
        width="${bar[2]}"
        height="${bar[3]}"
      />`,
    ]
  })
}
