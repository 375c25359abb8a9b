import { isDeepStrictEqual } from 'node:util'
import { defaultsOf } from '../../src/allowance/defaults'
import type { AllowanceSettings } from '../../src/allowance/settings'
import { messageOf } from '../../src/base/errors'
import type { Engine } from '../../src/process/engine'
import { countPastDefaults, loweredDefaults } from '../../src/operations/past-limits'
import type { Plugin } from '../kit/haraka'

/** Logs, in the background, how many tenants are past default limits that a reload of the ini file has lowered. */
export class LoweredLimits {
  private generation = 0

  constructor(
    private readonly plugin: Plugin,
    private readonly engine: Pick<Engine, 'store' | 'ledger'>,
  ) {}

  /** Never throws. */
  changed(before: AllowanceSettings, now: AllowanceSettings): void {
    const [were, defaults] = [defaultsOf(before), defaultsOf(now)]
    // A saved file may be read several times.
    if (isDeepStrictEqual(were, defaults)) return
    const fields = loweredDefaults(were, defaults)
    const mine = ++this.generation
    if (fields.length === 0) return
    const isCurrent = (): boolean => mine === this.generation
    countPastDefaults(this.engine, fields, defaults, isCurrent)
      .then((tenants) => {
        if (!isCurrent()) return
        this.plugin.lognotice(
          tenants === 0
            ? 'lowered limits: no tenant is past them'
            : 'lowered limits: tenants past them now, whose next recipient restricts them or is refused',
          { tenants },
        )
      })
      .catch((error: unknown) => {
        this.plugin.logwarn(`lowered limits: who is past them was not read: ${messageOf(error)}`)
      })
  }

  stop(): void {
    this.generation++
  }
}
