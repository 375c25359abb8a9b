import { reportLost, type Finding } from '../registry/lost-changes'
import type { Store } from '../store/store'
import { RETRY_AFTER, type InBackground } from './refresh'
import type { RegistryMonitor } from './registry-monitor'

/** Findings of this time are reported together, in ms. */
const REPORT_AFTER = 500

/** What the reports need from the directory that they are part of. */
export interface ReportsContext {
  readonly store: Store
  readonly inBackground: InBackground
  readonly registry: RegistryMonitor
}

/** Reports what Redis has lost to all processes, in the background; again until that succeeds. */
export class LossReports {
  private findings: Finding[] = []
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly context: ReportsContext) {}

  /** Adds a finding to the next report. */
  add(finding: Finding): void {
    this.findings.push(finding)
    this.reportAfter(REPORT_AFTER)
  }

  /** An operator has accepted what Redis holds. */
  forget(): void {
    this.findings = []
  }

  private reportAfter(ms: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.context.inBackground(this.report())
    }, ms).unref()
  }

  private async report(): Promise<void> {
    const { registry, store } = this.context
    const findings = this.findings.splice(0)
    if (findings.length === 0) return
    try {
      await registry.check()
      await reportLost(store, findings)
    } catch (error) {
      this.findings.unshift(...findings)
      this.reportAfter(RETRY_AFTER)
      throw error
    }
  }
}
