import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort } from './port'
import { scratchDir } from './scratch'
import { Service } from './service'
import { findTool } from './tools'
import { waitFor } from './wait-for'

const run = promisify(execFile)

/** The reason that no Prometheus can run here, for `skip` of a test; false where one can. Root installs it on Debian. */
export const noPrometheus: string | false = whyNot()

/** Options of startPrometheus(). */
export interface StartPrometheusOptions {
  /** Ports of the exporters, on 127.0.0.1. */
  readonly exporters: readonly number[]
  /** Texts of files of rules. */
  readonly rules?: readonly string[]
  /** The bearer token that the exporters want. */
  readonly token?: string
  /** How often it scrapes and evaluates, as Prometheus writes it; default `500ms`. */
  readonly interval?: string
}

/** An alert, pending or firing. */
export interface PrometheusAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing'
}

/** A series of an answer: one value, or the values over a range, each with its time in s. */
export interface PrometheusSeries {
  readonly metric: Readonly<Record<string, string>>
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

/**
 * Starts a real Prometheus that scrapes exporters, on a free loopback port. It ends with stop(), and always with this
 * process.
 *
 * @throws Error with its output, when it does not start
 */
export async function startPrometheus(options: StartPrometheusOptions): Promise<TestPrometheus> {
  const program = findTool('prometheus')
  const dir = scratchDir('prometheus')
  const config = path.join(dir, 'prometheus.yml')
  writeFileSync(config, JSON.stringify(configuration(dir, options)))
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const args = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]
    const prometheus = new TestPrometheus(port, new Service({ command: program, args, cwd: dir }))
    try {
      await prometheus.waitForLog(/Server is ready to receive web requests/)
      return prometheus
    } catch (error) {
      await prometheus.stop()
      // Another process took the port first.
      const taken = (error as Error).message.includes('address already in use')
      if (!taken || attempt === 5) throw error
    }
  }
}

/** Its configuration. JSON is YAML. */
function configuration(
  dir: string,
  { exporters, rules = [], token, interval = '500ms' }: StartPrometheusOptions,
): object {
  const files = rules.map((text, at) => {
    const file = path.join(dir, `rules-${at}.yml`)
    writeFileSync(file, text)
    return file
  })
  return {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: files,
    scrape_configs: [
      {
        job_name: 'unregistered-domain',
        ...(token !== undefined && { authorization: { credentials: token } }),
        static_configs: [{ targets: exporters.map((port) => `127.0.0.1:${port}`) }],
      },
    ],
  }
}

/** A running Prometheus. */
export class TestPrometheus {
  constructor(
    readonly port: number,
    private readonly service: Service,
  ) {}

  /** Waits for a line of its log. */
  waitForLog(pattern: RegExp) {
    return this.service.waitForLog(pattern)
  }

  /** @throws Error with what Prometheus says of the expression */
  query(expression: string): Promise<PrometheusSeries[]> {
    return this.#query('query', { query: expression })
  }

  /** @param start, end, step in s; times since the epoch */
  queryRange(
    expression: string,
    { start, end, step }: { start: number; end: number; step: number },
  ): Promise<PrometheusSeries[]> {
    const range = { start: String(start), end: String(end), step: String(step) }
    return this.#query('query_range', { query: expression, ...range })
  }

  /** The alerts that are pending or firing now. */
  async alerts(): Promise<PrometheusAlert[]> {
    return ((await this.#get('alerts')) as { alerts: PrometheusAlert[] }).alerts
  }

  /** Waits until an alert fires. @param fits what its labels must be */
  firing(name: string, fits: Readonly<Record<string, string>> = {}): Promise<PrometheusAlert> {
    const wanted = Object.entries({ alertname: name, ...fits })
    return waitFor(
      async () =>
        (await this.alerts()).find(
          ({ labels, state }) =>
            state === 'firing' && wanted.every(([label, value]) => labels[label] === value),
        ),
      { what: `${name} fires`, timeout: 120_000, interval: 100 },
    )
  }

  /** Waits until no alert of that name is pending or firing. */
  async quiet(name: string): Promise<void> {
    await waitFor(
      async () => !(await this.alerts()).some(({ labels }) => labels['alertname'] === name),
      { what: `${name} is over`, timeout: 120_000, interval: 100 },
    )
  }

  stop(): Promise<void> {
    return this.service.kill()
  }

  async #query(way: string, parameters: Record<string, string>): Promise<PrometheusSeries[]> {
    const query = new URLSearchParams(parameters).toString()
    return ((await this.#get(`${way}?${query}`)) as { result: PrometheusSeries[] }).result
  }

  async #get(what: string): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${what}`)
    const { data, error } = (await response.json()) as { data?: unknown; error?: string }
    if (!response.ok) throw new Error(`Prometheus answered ${response.status}: ${error}`)
    return data
  }
}

/**
 * Runs promtool, which comes with Prometheus.
 *
 * @returns what it printed
 * @throws Error with its output, when it found a fault
 */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const child = run(path.join(path.dirname(findTool('prometheus')), 'promtool'), [...args])
  child.child.stdin?.end(input)
  const { stdout, stderr } = await child
  return stdout + stderr
}

function whyNot(): string | false {
  try {
    findTool('prometheus')
    return false
  } catch (error) {
    if (process.getuid?.() === 0) throw error
    return (error as Error).message
  }
}
