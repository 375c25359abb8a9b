import { COLORS, draw } from '../../bench/chart'
import { color, written, type Answered } from './panel'

/** One of the 24 columns, and a row, in px. */
const COLUMN = 50
const ROW = 34
const GAP = 4
const HEAD = 28

/** Draws the panels of a dashboard where Grafana would. Returns the text of an SVG file. */
export async function drawDashboard(panels: readonly Answered[]): Promise<string> {
  const height = Math.max(...panels.map(({ panel: { gridPos } }) => gridPos.y + gridPos.h)) * ROW
  const drawn = await Promise.all(panels.map(drawPanel))
  const size = `width="${24 * COLUMN}" height="${height}" viewBox="0 0 ${24 * COLUMN} ${height}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="13" fill="#333">
<rect width="100%" height="100%" fill="#f4f5f5"/>
${drawn.join('\n')}
</svg>
`
}

async function drawPanel(answered: Answered): Promise<string> {
  const { gridPos, title, type } = answered.panel
  const width = gridPos.w * COLUMN - 2 * GAP
  const height = gridPos.h * ROW - 2 * GAP
  const draws = { stat: drawStat, bargauge: drawBars, table: drawTable, timeseries: drawLines }
  const inner = await draws[type](answered, width, height - HEAD)
  return `<svg x="${gridPos.x * COLUMN + GAP}" y="${gridPos.y * ROW + GAP}" width="${width}" height="${height}">
<rect width="100%" height="100%" fill="#fff"/>
${text(10, 19, title, 'font-weight="bold"')}
<svg y="${HEAD}" width="${width}" height="${height - HEAD}">${inner}</svg>
</svg>`
}

function drawStat(answered: Answered, width: number, height: number): string {
  const value = Number(answered.answers[0]?.value?.[1])
  const style = `font-size="30" text-anchor="middle" fill="${color(answered, value)}"`
  const shown = Number.isNaN(value) ? 'no data' : written(answered, value)
  return text(width / 2, height / 2 + 8, shown, style)
}

function drawBars(answered: Answered, width: number, height: number): string {
  const step = Math.min(28, height / answered.answers.length)
  const room = width - 190
  return answered.answers
    .map(({ name, value }, at) => {
      const used = Number(value?.[1])
      const [y, length] = [at * step, Math.min(1, used) * room]
      return `${text(10, y + 16, name)}
<rect x="120" y="${y + 4}" width="${room}" height="${step - 10}" fill="#eee"/>
<rect x="120" y="${y + 4}" width="${length.toFixed(1)}" height="${step - 10}" fill="${color(answered, used)}"/>
${text(width - 10, y + 16, written(answered, used), 'text-anchor="end"')}`
    })
    .join('\n')
}

function drawTable({ answers }: Answered, width: number): string {
  const columns = [...new Set(answers.flatMap(({ metric }) => Object.keys(metric)))].sort()
  const rows = answers.map(({ metric }) => columns.map((column) => metric[column] ?? ''))
  return [columns, ...rows]
    .map((cells, row) =>
      cells
        .map((cell, column) => {
          const x = 10 + (column * (width - 20)) / columns.length
          return text(x, 16 + row * 24, cell, row === 0 ? 'fill="#0072b2"' : '')
        })
        .join(''),
    )
    .join('\n')
}

/** @param height in px, without the title */
async function drawLines(answered: Answered, width: number, height: number): Promise<string> {
  if (answered.answers.length === 0) return text(10, 16, 'no data')
  return draw({
    width,
    height,
    option: {
      animation: false,
      color: COLORS,
      textStyle: { fontFamily: 'sans-serif', color: '#333' },
      legend: { bottom: 2, left: 6, itemHeight: 8, itemWidth: 16, itemGap: 12 },
      grid: { left: 10, right: 16, top: 10, bottom: 34, containLabel: true },
      xAxis: { type: 'time', axisLabel: { hideOverlap: true, formatter: '{mm}:{ss}' } },
      yAxis: {
        type: 'value',
        min: 0,
        splitNumber: 4,
        axisLabel: { formatter: (value: number) => written(answered, value) },
      },
      series: answered.answers.map(({ name, values = [] }) => ({
        type: 'line' as const,
        name,
        symbol: 'none',
        data: values.map(([at, value]) => [at * 1000, Number(Number(value).toPrecision(3))]),
      })),
    },
  })
}

function text(x: number, y: number, words: string, style = ''): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}" ${style}>${escaped}</text>`
}
