import type { EChartsOption } from 'echarts'
import type { BarPlot, DistributionPlot, ColumnPlot, LinePlot, Plot, SpreadPlot } from './plot'
import { quantile } from './stats'

const WIDTH = 840
/** Distinct to colour-blind people, too (Okabe and Ito). */
const BLUE = '#0072b2'
const VERMILION = '#d55e00'
const COLORS = [BLUE, VERMILION, '#009e73', '#cc79a7', '#e69f00', '#56b4e9']
const TEXT = '#333'
const GRID = '#e0e0e0'

/**
 * Draws pictures. ECharts is loaded only here: it takes longer to load than some sections take to run.
 *
 * @returns the text of an SVG file for each
 */
export async function drawAll(plots: readonly Plot[]): Promise<string[]> {
  if (plots.length === 0) return []
  const { init } = await import('echarts')
  return plots.map((plot) => {
    const chart = init(null, null, {
      renderer: 'svg',
      ssr: true,
      width: WIDTH,
      height: heightOf(plot),
    })
    chart.setOption(optionOf(plot))
    const svg = chart.renderToSVGString()
    chart.dispose()
    return svg
  })
}

function heightOf(plot: Plot): number {
  if (plot.kind === 'spread') return 140 + 40 * plot.items.length
  if (plot.kind === 'bars') {
    return 140 + plot.categories.length * (14 + 22 * plot.series.length)
  }
  return 360
}

function optionOf(plot: Plot): EChartsOption {
  const frame: EChartsOption = {
    animation: false,
    // White on a dark page, too: the colours are made for it.
    backgroundColor: '#fff',
    color: COLORS,
    textStyle: { fontFamily: 'sans-serif', fontSize: 13, color: TEXT },
    title: {
      text: plot.title,
      subtext: plot.measure,
      left: 12,
      top: 8,
      itemGap: 6,
      textStyle: { fontSize: 16, color: TEXT },
      subtextStyle: { fontSize: 13, color: '#555' },
    },
    legend: {
      top: 52,
      left: 12,
      itemGap: 24,
      itemWidth: 14,
      itemHeight: 10,
      textStyle: { color: TEXT },
    },
    // Roomy on the left: ECharts guesses how wide a text is, and every viewer has another font.
    grid: { left: 44, right: 96, top: 92, bottom: 16, containLabel: true },
  }
  switch (plot.kind) {
    case 'spread':
      return { ...frame, ...spread(plot) }
    case 'bars':
      return { ...frame, ...bars(plot) }
    case 'columns':
      return { ...frame, ...columns(plot) }
    case 'distribution':
      return { ...frame, ...distribution(plot) }
    case 'lines':
      return { ...frame, ...lines(plot) }
  }
}

const labels = { axisLabel: { color: TEXT, fontSize: 13 } }
const lined = { ...labels, splitLine: { lineStyle: { color: GRID } } }

/** From top to bottom. */
function categoriesDown(names: readonly string[]): NonNullable<EChartsOption['yAxis']> {
  return { type: 'category', inverse: true, data: [...names], ...labels }
}

function spread({ items }: SpreadPlot): EChartsOption {
  const targets = items.flatMap(({ target }, at) => (target === undefined ? [] : [[target, at]]))
  return {
    xAxis: { type: 'value', scale: true, ...lined },
    yAxis: categoriesDown(items.map(({ label }) => label)),
    series: [
      {
        type: 'boxplot',
        name: 'measured',
        boxWidth: [8, 18],
        itemStyle: { color: '#cfe3f2', borderColor: BLUE, borderWidth: 1.5 },
        data: items.map(({ samples }) =>
          [0.05, 0.25, 0.5, 0.75, 0.95].map((share) => quantile(samples, share)),
        ),
      },
      {
        type: 'scatter',
        name: 'at most',
        symbol: 'rect',
        symbolSize: [3, 26],
        itemStyle: { color: VERMILION },
        data: targets,
      },
    ],
  }
}

function bars({ categories, series }: BarPlot): EChartsOption {
  return {
    ...(series.length === 1 && { legend: { show: false } }),
    xAxis: { type: 'value', ...lined },
    yAxis: categoriesDown(categories),
    series: series.map(({ label, values }) => ({
      type: 'bar' as const,
      name: label,
      barMaxWidth: 20,
      // Labels are texts made here: a function would not be in the plot.
      data: values.map((value) => ({
        value: value ?? '-',
        label: { show: value !== null, formatter: value === null ? '' : short(value) },
      })),
      label: { position: 'right', color: TEXT },
    })),
  }
}

function columns({ categories, series, target }: ColumnPlot): EChartsOption {
  const limit = {
    silent: true,
    symbol: 'none',
    lineStyle: { color: TEXT, type: 'dashed' as const },
    label: { formatter: `at most ${target}`, color: TEXT },
    data: [{ yAxis: target ?? 0 }],
  }
  return {
    xAxis: {
      type: 'category',
      data: [...categories],
      // Every one, however narrow.
      axisLabel: { ...labels.axisLabel, interval: 0 },
    },
    yAxis: { type: 'value', min: 0, ...lined },
    series: series.map(({ label, values }, at) => ({
      type: 'bar' as const,
      name: label,
      barMaxWidth: 26,
      data: values.map((value) => value ?? '-'),
      ...(at === 0 && target !== undefined && { markLine: limit }),
    })),
  }
}

function distribution({ series }: DistributionPlot): EChartsOption {
  const shares = Array.from({ length: 101 }, (_, percent) => percent / 100)
  const most = Math.max(...series.map(({ samples }) => quantile(samples, 0.99)))
  return {
    xAxis: { type: 'value', min: 0, max: roundedUp(most * 1.05), ...lined },
    yAxis: { type: 'value', min: 0, max: 100, ...lined, axisLabel: { formatter: '{value} %' } },
    series: series.map(({ label, samples }) => ({
      type: 'line' as const,
      name: label,
      symbol: 'none',
      lineStyle: { width: 2.5 },
      data: shares.map((share) => [quantile(samples, share), share * 100]),
    })),
  }
}

function lines({ series, unit }: LinePlot): EChartsOption {
  const name = { name: unit, nameLocation: 'middle' as const, nameGap: 28 }
  return {
    grid: { left: 44, right: 44, top: 92, bottom: 40, containLabel: true },
    xAxis: { type: 'value', min: 0, max: 'dataMax', ...lined, ...name },
    yAxis: { type: 'value', min: 0, ...lined },
    series: series.map(({ label, points }) => ({
      type: 'line' as const,
      name: label,
      symbol: 'none',
      lineStyle: { width: 1.5 },
      data: points.map((point) => [...point]),
    })),
  }
}

/** Up to two digits that count: where an axis may end. */
function roundedUp(value: number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1)
  return Number((Math.ceil(value / unit) * unit).toPrecision(2))
}

/** `1,234`, `12.3`, `0.42` */
function short(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
