import { performance } from 'node:perf_hooks'
import type { Mark } from '../records/token'
import { toPause, type Pause } from './in-effect'
import { LONGEST_PAUSE, type PauseChange, type PauseRead } from './pause'

/** The pause as one process knows it. It ends by itself, by the monotonic clock, also while Redis is away. */
export class KnownPause {
  private known: PauseChange | undefined
  private current: Pause | undefined
  /** Monotonic ms. */
  private endsAt = Infinity
  private timer: NodeJS.Timeout | undefined

  /** @param onChange is called when a pause begins, changes or ends. */
  constructor(private readonly onChange: () => void) {}

  /** `undefined`: enforcement is not paused. */
  get inEffect(): Pause | undefined {
    return this.current
  }

  /** The last change; `undefined`: none is known. */
  get change(): PauseChange | undefined {
    return this.known
  }

  /** Of the last change; 0: none is known. */
  get mark(): Mark {
    return this.known?.mark ?? 0
  }

  /**
   * Takes over what Redis holds, or the snapshot file says.
   *
   * @param read its change is the known one or later, unless an operator has accepted what Redis holds.
   * @param moment when `read.now` was, or before; monotonic ms.
   */
  adopt({ now, change }: Omit<PauseRead, 'denied'>, moment: number): void {
    const isKnown = change?.mark === this.known?.mark
    this.known = change
    clearTimeout(this.timer)
    const pause = toPause({ now, change })
    if (!pause) return this.become(undefined, isKnown)
    const left = Math.min(pause.until - now, LONGEST_PAUSE)
    // The clock of Redis may be set back: that must not prolong it.
    this.endsAt = Math.min(moment + left, isKnown ? this.endsAt : Infinity)
    const remaining = this.endsAt - performance.now()
    if (remaining <= 0) return this.become(undefined, isKnown)
    this.timer = setTimeout(() => this.become(undefined, false), remaining).unref()
    this.become(pause, isKnown)
  }

  /** Drops what the snapshot file said. */
  forget(): void {
    this.adopt({ now: 0, change: undefined }, 0)
  }

  /** @param isKnown the change that it comes from was known. */
  private become(pause: Pause | undefined, isKnown: boolean): void {
    if (pause === undefined ? this.current === undefined : isKnown && this.current) return
    this.current = pause
    this.onChange()
  }
}
