import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { packageRoot } from '../../src/base/package-root'

/** A rule of `monitoring/`. */
export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** A panel of the dashboard. */
export interface DashboardPanel {
  readonly id: number
  readonly title: string
  readonly gridPos: {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
  }
  readonly datasource: unknown
  readonly targets: readonly { readonly expr: string }[]
}

export const RULES = ['rules.yml', 'rules-tenants.yml']

/** A file of `monitoring/`. */
export function monitoringFile(name: string): string {
  return path.join(packageRoot(), 'monitoring', name)
}

export function readMonitoring(name: string): string {
  return readFileSync(monitoringFile(name), 'utf8')
}

/** The rules of both files. */
export function alertRules(): AlertRule[] {
  return RULES.flatMap((name) => {
    const { groups } = parse(readMonitoring(name)) as { groups: { rules: AlertRule[] }[] }
    return groups.flatMap(({ rules }) => rules)
  })
}

export function dashboardPanels(): DashboardPanel[] {
  return (JSON.parse(readMonitoring('dashboard.json')) as { panels: DashboardPanel[] }).panels
}

/** What rules and panels ask Prometheus, with what Grafana fills in. */
export function expressions(): string[] {
  const asked = [
    ...alertRules().map(({ expr }) => expr),
    ...dashboardPanels().flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ]
  return asked.map((expr) => expr.replaceAll('$__rate_interval', '1m'))
}
