import { messageOf } from '../../src/base/errors'
import {
  IDLE_FORWARDS_ADVICE,
  idleForwardsInWords,
  tenantsWithForwards,
} from '../../src/operations/idle-forwards'
import type { Config } from '../../src/process/config'
import type { Engine } from '../../src/process/engine'
import type { Plugin } from '../kit/haraka'

/** Between two batches of tenants, in ms: reading many must not keep Redis or this process from mail. */
const PAUSE = 500

/** Logs in the background that tenants have an allowance for forwards, but `[forwarded] enabled` is false. */
export class IdleForwards {
  private isOff = false

  constructor(
    private readonly plugin: Plugin,
    private readonly engine: Pick<Engine, 'store' | 'whenWritable'>,
  ) {}

  /** To be called at the start, and whenever another configuration is in effect. Never throws. */
  look({ forwarded }: Config): void {
    if (!forwarded.enabled && !this.isOff) void this.tell()
    this.isOff = !forwarded.enabled
  }

  private async tell(): Promise<void> {
    try {
      // Only then it is certain that this is the right registry.
      await this.engine.whenWritable()
      const tenants = await tenantsWithForwards(this.engine.store, PAUSE)
      if (tenants.length === 0 || !this.isOff) return
      this.plugin.logcrit(`${idleForwardsInWords(tenants)}; ${IDLE_FORWARDS_ADVICE}`)
    } catch (error) {
      const why = messageOf(error)
      this.plugin.logwarn(`not read: which tenants have an allowance for forwards (${why})`)
    }
  }
}
