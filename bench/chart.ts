import type { EChartsOption } from 'echarts'
import { quantile, type Point } from './stats'

const WIDTH = 840
/** Colours that colour-blind people can distinguish (Okabe and Ito). */
const BLUE = '#0072b2'
const VERMILION = '#d55e00'
export const COLORS = [BLUE, VERMILION, '#009e73', '#cc79a7', '#e69f00', '#56b4e9']
const TEXT = '#333'

/** The description of a picture. */
interface About {
  /** Name of its SVG file, without the extension. */
  readonly name: string
  readonly title: string
  /** The meaning of its numbers: `CPU a message, Haraka alone = 1`. */
  readonly measure: string
}

/** A picture, ready to be drawn. */
export interface Picture extends About {
  readonly height: number
  readonly option: EChartsOption
}

/**
 * Draws a picture. ECharts is loaded only here, since loading it takes longer than some sections.
 *
 * @returns the text of an SVG file
 */
export async function draw({
  option,
  height,
  width = WIDTH,
}: Pick<Picture, 'option' | 'height'> & { readonly width?: number }): Promise<string> {
  const { init } = await import('echarts')
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption(option)
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function picture(about: About, height: number, option: EChartsOption): Picture {
  const frame: EChartsOption = {
    animation: false,
    // White on a dark page too: the colours need it.
    backgroundColor: '#fff',
    color: COLORS,
    textStyle: { fontFamily: 'sans-serif', fontSize: 13, color: TEXT },
    title: { text: about.title, subtext: about.measure, left: 12, top: 8 },
    legend: { top: 52, left: 12, itemGap: 24 },
    // Extra room on the left: ECharts estimates the width of a text, and viewers have different fonts.
    grid: { left: 44, right: 96, top: 92, bottom: 40, containLabel: true },
  }
  return { ...about, height, option: { ...frame, ...option } }
}

function categories(names: readonly string[]) {
  return { type: 'category' as const, inverse: true, data: [...names] }
}

/** How far samples vary: a box for half of them, whiskers for nine tenths. */
export function spread(
  about: About,
  items: readonly { label: string; samples: readonly number[]; target?: number | undefined }[],
): Picture {
  const shares = [0.05, 0.25, 0.5, 0.75, 0.95]
  return picture(about, 140 + 40 * items.length, {
    xAxis: { type: 'value', scale: true },
    yAxis: categories(items.map(({ label }) => label)),
    series: [
      {
        type: 'boxplot',
        name: 'measured',
        boxWidth: [8, 18],
        itemStyle: { color: '#cfe3f2', borderColor: BLUE },
        data: items.map(({ samples }) => shares.map((share) => quantile(samples, share))),
      },
      {
        type: 'scatter',
        name: 'at most',
        symbol: 'rect',
        symbolSize: [3, 26],
        itemStyle: { color: VERMILION },
        data: items.flatMap(({ target }, at) => (target === undefined ? [] : [[target, at]])),
      },
    ],
  })
}

/** One bar of each series for each name, with its number. */
export function bars(
  about: About,
  names: readonly string[],
  series: readonly { label: string; values: readonly number[] }[],
): Picture {
  return picture(about, 140 + names.length * (14 + 22 * series.length), {
    legend: { show: series.length > 1, top: 52, left: 12, itemGap: 24 },
    xAxis: { type: 'value' },
    yAxis: categories(names),
    series: series.map(({ label, values }) => ({
      type: 'bar',
      name: label,
      barMaxWidth: 20,
      data: values.map((value) => ({ value, label: { formatter: short(value) } })),
      label: { show: true, position: 'right', color: TEXT },
    })),
  })
}

/** @param unit of x: `minutes` */
export function lines(
  about: About,
  unit: string,
  series: readonly { label: string; points: readonly Point[] }[],
): Picture {
  return picture(about, 360, {
    xAxis: { type: 'value', max: 'dataMax', name: unit, nameLocation: 'middle', nameGap: 28 },
    yAxis: { type: 'value', min: 0 },
    series: series.map(({ label, points }) => ({
      type: 'line',
      name: label,
      symbol: 'none',
      data: points.map(([x, y]) => [Number(x.toPrecision(4)), Number(y.toPrecision(4))]),
    })),
  })
}

/** `1,234`, `12.3`, `0.42` */
function short(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
