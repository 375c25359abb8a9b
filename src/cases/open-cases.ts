import { mapLimited } from '../base/limiter'
import type { Store } from '../store/store'
import { parseCaseName } from './case'

/** Cases read concurrently. */
const BATCH = 500

/** Counts the open cases, again and again: a closed case is never opened again, so its record is read once. */
export class OpenCases {
  private readonly open = new Set<string>()
  private readonly closed = new Set<string>()
  /** Number of cases in the index when it was read last. */
  private indexed = -1

  constructor(private readonly store: Store) {}

  /** @throws where Redis gave no answer. */
  async count(): Promise<number> {
    const { client, keys } = this.store
    const indexed = await client.zcard(keys.caseIndex)
    if (indexed !== this.indexed) this.add(await client.zrange(keys.caseIndex, '0', '-1'))
    this.indexed = indexed
    await mapLimited([...this.open], BATCH, async (name) => {
      const { tenant, number } = parseCaseName(name)
      const record = await client.hmget(keys.caseOf(tenant, number), 'opened', 'closed')
      if (record[0] !== null && record[1] === null) return
      this.open.delete(name)
      this.closed.add(name)
    })
    return this.open.size
  }

  private add(names: readonly string[]): void {
    const all = new Set(names)
    for (const known of [this.open, this.closed]) {
      for (const name of known) if (!all.has(name)) known.delete(name)
    }
    for (const name of names) if (!this.closed.has(name)) this.open.add(name)
  }
}
