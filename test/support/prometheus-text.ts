import assert from 'node:assert/strict'

/** A series as Prometheus reads it: `name{label="value"}`, labels by name. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const VALUE = String.raw`"((?:[^"\\\n]|\\\\|\\"|\\n)*)"`
const LABEL = new RegExp(`(${NAME})=${VALUE}(,|$)`, 'y')

/** Reads the text format 0.0.4 strictly: each family once, with its help and type before its series, none of them twice. */
export function parseText(text: string): Series[] {
  assert.ok(text.endsWith('\n'))
  const families = new Set<string>()
  const seen = new Set<string>()
  const series: Series[] = []
  let family = ''
  let helped = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, help] = new RegExp(`^# HELP (${NAME}) \\S.*$`).exec(line) ?? []
    const [, type] = new RegExp(`^# TYPE (${NAME}) (?:counter|gauge|summary)$`).exec(line) ?? []
    const [, name, labels, value] =
      new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`, 's').exec(line) ?? []
    if (help !== undefined) {
      helped = help
    } else if (type !== undefined) {
      assert.equal(type, helped)
      assert.ok(!families.has(type), type)
      families.add(type)
      family = type
    } else {
      assert.ok(name !== undefined, `no line of the format: ${line}`)
      assert.equal(name, family)
      const number = Number(value)
      assert.ok(Number.isFinite(number), line)
      const one = { name, labels: parseLabels(labels ?? ''), value: number }
      const id = JSON.stringify([name, one.labels])
      assert.ok(!seen.has(id), `twice: ${line}`)
      seen.add(id)
      series.push(one)
    }
  }
  return series
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let at = 0; at < text.length; at = LABEL.lastIndex) {
    LABEL.lastIndex = at
    const [, name, value] = LABEL.exec(text) ?? []
    assert.ok(name !== undefined && value !== undefined, `no labels: ${text}`)
    labels[name] = value.replace(/\\(.)/gs, (_all, char: string) => (char === 'n' ? '\n' : char))
  }
  return labels
}

/** The values of a metric by the values of its labels, joined by spaces; one without labels is at ''. */
export function valuesOf(text: string, name: string): Record<string, number> {
  const found = parseText(text).filter((each) => each.name === `unregistered_domain_${name}`)
  return Object.fromEntries(
    found.map(({ labels, value }) => [Object.values(labels).join(' '), value]),
  )
}
