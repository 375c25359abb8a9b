import type {
  ConnectorRecord,
  DomainsRecord,
  MoveRecord,
  RegistryRecord,
  TenantRecord,
} from './record'

/** Records as a file has them: the domains of a tenant behind it. */
export interface Records {
  records(): AsyncIterable<RegistryRecord>
}

/** A tenant with some of its accepted domains. */
export interface TenantPart {
  readonly type: 'part'
  readonly tenant: TenantRecord
  readonly domains: DomainsRecord['domains']
  /** The first of this tenant, and the last one: both where it has no long list. */
  readonly first: boolean
  readonly last: boolean
}

const NO_DOMAINS: DomainsRecord['domains'] = new Map()

/** The records of a file, with each tenant and its domains cut into parts that fit into memory. */
export async function* partsOf(
  file: Records,
): AsyncGenerator<TenantPart | ConnectorRecord | MoveRecord> {
  let open: { tenant: TenantRecord; domains?: DomainsRecord['domains']; first: boolean } | undefined
  const close = function* (last: boolean): Generator<TenantPart> {
    if (!open) return
    const { tenant, domains = NO_DOMAINS, first } = open
    yield { type: 'part', tenant, domains, first, last }
  }
  for await (const record of file.records()) {
    if (record.type === 'domains') {
      // In a file domains follow their tenant.
      const { tenant, domains } = open!
      if (domains) yield* close(false)
      open = { tenant, domains: record.domains, first: domains === undefined }
      continue
    }
    yield* close(true)
    open = undefined
    if (record.type === 'tenant') open = { tenant: record, first: true }
    else yield record
  }
  yield* close(true)
}

/**
 * Runs work concurrently, up to a limit; work of the same lane one after the other. Stops at the first failure.
 */
export class Lanes {
  private readonly running = new Set<Promise<void>>()
  private last: { lane: string; work: Promise<void> } | undefined
  private failed: { error: unknown } | undefined

  constructor(private readonly width: number) {}

  /**
   * Resolves when there is room for more. Work of one lane has to be given without that of another in between.
   *
   * @throws what earlier work has thrown.
   */
  async add(lane: string, work: () => Promise<void>): Promise<void> {
    const before = this.last?.lane === lane ? this.last.work : Promise.resolve()
    const running = before
      .then(() => (this.failed ? undefined : work()))
      .catch((error: unknown) => void (this.failed ??= { error }))
      .finally(() => this.running.delete(running))
    this.running.add(running)
    this.last = { lane, work: running }
    while (this.running.size >= this.width) await Promise.race(this.running)
    this.throwFailure()
  }

  /** Waits for all of it. @throws what any of it has thrown. */
  async finish(): Promise<void> {
    await Promise.all(this.running)
    this.throwFailure()
  }

  private throwFailure(): void {
    if (this.failed) throw this.failed.error
  }
}
