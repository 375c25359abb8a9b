import { shortTime } from '../../base/time'
import type { SourcesNow, Top, TopReader, TopTenant } from '../../operations/top'
import { isNotAllowed, redisFailure, troubleOf } from '../../store/failure'
import type { Context } from '../kit/context'
import { duration, type Output, type Tone } from '../kit/output'
import { Screen, type Pressed } from '../kit/screen'
import { AGE_OF_FIGURES, printSources, printTop, summaryOf } from '../views/top'
import { afterKey, BEGIN, ORDERS, positionOf, type TopState } from '../views/top-state'

/** A Redis that takes longer for a reading, in ms, does not answer: the screen says so. */
const SILENT_AFTER = 2000

/** What was read last, and when by our monotonic clock. */
interface Shown {
  readonly top: Top
  /** Id of the tenant whose sources were read; `undefined`: none were. */
  readonly open: string | undefined
  /** `undefined` as well: it is no longer there. */
  readonly sources: SourcesNow | undefined
  readonly read: number
}

/**
 * Renews the screen until `q`, Ctrl-C or SIGTERM, also while Redis is away.
 *
 * @param interval ms from one reading to the next.
 * @throws what is no trouble of Redis that may pass; the terminal is as it was before.
 */
export async function watchTop(
  context: Context,
  reader: TopReader,
  interval: number,
): Promise<void> {
  const watch = new Watch(context, reader)
  try {
    await watch.run(interval)
  } finally {
    watch.close()
  }
}

class Watch {
  private state: TopState = BEGIN
  private shown: Shown | undefined
  /** Why the last reading failed; `undefined`: it did not. */
  private failure: string | undefined
  /** When the running reading began, by our monotonic clock. */
  private asked: number | undefined
  private isOver = false
  private wake: () => void = () => {}
  private readonly screen: Screen
  private readonly forget: () => void
  private readonly over: Promise<void>
  private end: () => void = () => {}

  constructor(
    { io, manner }: Context,
    private readonly reader: TopReader,
  ) {
    this.over = new Promise((resolve) => {
      this.end = () => {
        this.isOver = true
        resolve()
      }
    })
    const draw = (): void => this.draw()
    this.screen = new Screen(io, manner, (key) => this.press(key), draw)
    this.forget = io.onInterrupt(this.end)
    void io.stdout.failed.then(this.end)
  }

  async run(interval: number): Promise<void> {
    const clock = setInterval(() => this.draw(), 1000)
    try {
      while (!this.isOver) {
        await Promise.race([this.read(), this.over])
        this.draw()
        await this.pause(interval)
      }
    } finally {
      clearInterval(clock)
    }
  }

  close(): void {
    this.forget()
    this.screen.close()
  }

  private async read(): Promise<void> {
    this.asked = performance.now()
    const { filter, open } = this.state
    try {
      const top = await this.reader.list(filter)
      const sources = open === undefined ? undefined : await this.reader.sources(open)
      this.shown = { top, open, sources, read: performance.now() }
      this.failure = undefined
    } catch (error) {
      if (this.isOver) return
      if (!troubleOf(error) || isNotAllowed(error)) throw error
      this.failure = redisFailure(error)
    } finally {
      this.asked = undefined
    }
  }

  /** Waits for the next reading; a key that shows something else ends it. */
  private async pause(interval: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const next = new Promise<void>((resolve) => {
      this.wake = resolve
      timer = setTimeout(resolve, interval)
    })
    await Promise.race([next, this.over])
    clearTimeout(timer)
  }

  private press(key: Pressed): void {
    const next = afterKey(this.state, key, this.ids)
    if (next === 'end') return this.end()
    const isOther = next.filter !== this.state.filter || next.open !== this.state.open
    this.state = next
    this.draw()
    if (isOther) this.wake()
  }

  private draw(): void {
    if (this.isOver) return
    this.screen.show((out) => {
      const rows = this.screen.rows - this.printHead(out)
      const { shown, state } = this
      if (!shown) out.line('reading …')
      else if (state.open === undefined) this.printList(out, shown.top, rows)
      else if (state.open !== shown.open) out.line('reading …')
      else if (shown.sources) printSources(out, shown.sources, rows)
      else out.line(`there is no tenant ${state.open} any more`)
    })
  }

  /** @returns how many lines it took. */
  private printHead(out: Output): number {
    const { shown, trouble } = this
    const lines: (readonly [text: string, tone?: Tone])[] = [
      ...(trouble === undefined ? [] : [[`${trouble}${this.age}`, 'bad'] as const]),
      ...(shown ? summaryOf(shown.top) : []),
      ...[this.keys, AGE_OF_FIGURES].map((text) => [text, 'faint'] as const),
    ]
    for (const line of lines) out.line(...line)
    return lines.length
  }

  private get trouble(): string | undefined {
    const { asked, failure } = this
    const isSilent = asked !== undefined && performance.now() - asked > SILENT_AFTER
    return failure ?? (isSilent ? 'Redis does not answer' : undefined)
  }

  /** What {@link trouble} means for what is shown. */
  private get age(): string {
    if (!this.shown) return ''
    const { top, read } = this.shown
    return `: this is of ${shortTime(top.at)}, ${duration(performance.now() - read)} ago`
  }

  private get keys(): string {
    const { order, filter, typing, open } = this.state
    if (open !== undefined) return 'q back'
    if (typing) return `filter: ${filter}_  Enter done  Esc none`
    const by = filter === '' ? '' : `: ${filter} (Esc none)`
    return `f filter${by}  s sort: ${order}  arrows select  Enter sources  q quit`
  }

  private printList(out: Output, top: Top, room: number): void {
    const { ids, state } = this
    const at = positionOf(state, ids)
    const titles = 1
    const most = Math.max(1, room - titles)
    const first = Math.max(0, at - most + 1)
    printTop(out, this.sorted(top).slice(first, first + most), ids[at])
  }

  private get ids(): string[] {
    return this.shown ? this.sorted(this.shown.top).map(({ status }) => status.tenant.id) : []
  }

  private sorted({ tenants }: Top): TopTenant[] {
    return tenants.toSorted(ORDERS[this.state.order])
  }
}
