import type { Store } from '../store/store'
import { readEntry, type Entry } from '../records/event-entry'

/** Entries to read at a time. */
const BATCH = 500

/** Reads the stream of events; changes nothing. */
export class StreamReader {
  /** Of the last entry that was read. */
  private position = '0-0'

  constructor(private readonly store: Store) {}

  /**
   * All entries since the last call; at first, all there are. The oldest first.
   *
   * @throws where Redis gave no answer.
   */
  async *unread(): AsyncGenerator<Entry> {
    const { client, keys } = this.store
    for (;;) {
      const raw = await client.xrange(keys.events, `(${this.position}`, '+', 'COUNT', BATCH)
      yield* this.read(raw)
      if (raw.length < BATCH) return
    }
  }

  /**
   * The same; where there are none, waits up to `ms` for the next.
   *
   * @throws where Redis gave no answer; no entry is lost then.
   */
  async wait(ms: number): Promise<Entry[]> {
    const { client, keys } = this.store
    const reply = await client.xread(
      ...(['COUNT', BATCH, 'BLOCK', ms, 'STREAMS', keys.events, this.position] as const),
    )
    return (reply ?? []).flatMap(([, raw]) => [...this.read(raw)])
  }

  private *read(raw: [string, string[]][]): Generator<Entry> {
    for (const each of raw) {
      this.position = each[0]
      const entry = readEntry(each)
      if (entry) yield entry
    }
  }
}
