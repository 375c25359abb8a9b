import { performance } from 'node:perf_hooks'
import { writeLines } from '../backup/file'
import { readTenantRecords } from '../backup/read-registry'
import { formatRecord } from '../backup/record'
import { messageOf } from '../errors'
import { pieces } from '../store/pieces'
import { scanSet } from '../store/scan-keys'
import type { Store } from '../store/store'
import type { Directory } from '../tenants/directory'
import { lookAtRegistry, readEpoch } from '../tenants/epoch'
import { connectorId } from '../tenants/identities'
import { packConnector } from '../tenants/packing'

const INTERVAL = 2000
/** After a failure, in ms. */
const RETRY_AFTER = 60_000
/** Writing takes one part in so many of the time at most, however much there is to write. */
const SHARE = 20
/** So that the file says when the registry was last seen, in ms. */
const LONGEST_AGE = 3_600_000

/** In the file at most; all connectors are in it. */
const BOUNDS = { tenants: 10_000, domains: 200_000 }
/** Tenants that are asked for at the same time. */
const AT_ONCE = 32

/** The lines of a tenant, and what they were made of. */
interface Kept {
  readonly tokens: string
  readonly lines: readonly string[]
}

/**
 * Keeps the snapshot file up to date, in the background: what this process knows, for the next one that has to start
 * without Redis. Restricted tenants come first, then those of which anything was asked last.
 */
export class SnapshotWriter {
  private timer: NodeJS.Timeout | undefined
  private written = -1
  private writtenAt = 0
  private notBefore = 0
  private writing = false
  private kept = new Map<string, Kept>()

  /**
   * @param onError is told why the file could not be written, with what to do.
   * @param interval how often it is looked whether there is anything to write, in ms.
   */
  constructor(
    private readonly store: Store,
    private readonly directory: Directory,
    private readonly file: string,
    private readonly onError: (message: string) => void,
    private readonly interval = INTERVAL,
    private readonly bounds = BOUNDS,
  ) {}

  start(): void {
    this.timer ??= setInterval(() => void this.writeIfDue(), this.interval).unref()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** Never rejects. */
  private async writeIfDue(): Promise<void> {
    const { directory } = this
    const now = performance.now()
    const isStale = directory.news !== this.written || now > this.writtenAt + LONGEST_AGE
    if (this.writing || now < this.notBefore || !isStale) return
    // What is not confirmed by Redis is in the file already.
    if (this.store.client.status !== 'ready' || directory.registry.state !== 'usable') return
    this.writing = true
    const { news } = directory
    try {
      if (!(await this.write())) return
      this.written = news
      this.writtenAt = performance.now()
      this.notBefore = this.writtenAt + SHARE * (this.writtenAt - now)
    } catch (error) {
      this.notBefore = performance.now() + RETRY_AFTER
      this.onError(messageOf(error))
    } finally {
      this.writing = false
    }
  }

  /** @returns whether it was written: not where Redis holds no registry, or another one than is known. */
  private async write(): Promise<boolean> {
    const { directory, store } = this
    const { epoch, tenants } = await lookAtRegistry(store)
    if (!epoch || epoch.epoch !== directory.registry.epoch) return false
    const chosen = await this.choose()
    // What was read may be what is left after all was lost.
    if ((await readEpoch(store))?.epoch !== epoch.epoch) return false
    await writeLines(
      this.file,
      {
        kind: 'snapshot',
        prefix: store.keys.prefix,
        epoch: epoch.epoch,
        schema: epoch.schema,
        createdAt: directory.registry.seenAt,
        omitted: Math.max(0, tenants - chosen.size),
      },
      this.lines(chosen),
    )
    this.kept = chosen
    return true
  }

  private *lines(chosen: ReadonlyMap<string, Kept>): Generator<string> {
    // Those of one moment: one that changes while the file is written must not be in it twice.
    for (const connector of [...(this.directory.connectors?.all() ?? [])]) {
      const id = connectorId(connector.tenant, connector.name)
      yield formatRecord({ type: 'connector', id, value: packConnector(connector) })
    }
    for (const { lines } of chosen.values()) yield* lines
  }

  private async choose(): Promise<Map<string, Kept>> {
    const { store, directory } = this
    const ids = new Set<string>()
    for await (const piece of scanSet(store, store.keys.restricted)) {
      for (const id of piece) ids.add(id)
    }
    for (const id of directory.knownTenants()) ids.add(id)

    const chosen = new Map<string, Kept>()
    let room = this.bounds.domains
    for (const piece of pieces([...ids].slice(0, this.bounds.tenants), AT_ONCE)) {
      const measures = await Promise.all(piece.map((id) => this.measure(id)))
      const fitting = piece.filter((_, at) => {
        const fits = measures[at]!.domains <= room
        if (fits) room -= measures[at]!.domains
        return fits
      })
      const tokens = new Map(piece.map((id, at) => [id, measures[at]!.tokens]))
      const lines = await Promise.all(fitting.map((id) => this.linesOf(id, tokens.get(id)!)))
      fitting.forEach((id, at) => lines[at] && chosen.set(id, lines[at]))
    }
    return chosen
  }

  /** What this process or else Redis knows of a tenant: enough to see whether it has changed, and how long it is. */
  private async measure(id: string): Promise<{ tokens: string; domains: number }> {
    const known = this.directory.look(id)
    if (known) return { tokens: tokensOf(known), domains: known.domains.size }
    const { client, keys } = this.store
    const [domainsToken, stateToken] = await client.hmget(keys.tenant(id), 'domains', 'state')
    return {
      tokens: tokensOf({ domainsToken, stateToken }),
      domains: await client.hlen(keys.domains(id)),
    }
  }

  /** It is read only where it is another than in the file. `undefined`: it is gone. */
  private async linesOf(id: string, tokens: string): Promise<Kept | undefined> {
    const before = this.kept.get(id)
    if (before?.tokens === tokens) return before
    const lines: string[] = []
    let tokensRead = ''
    for await (const record of readTenantRecords(this.store, id, { usage: false })) {
      if (record.type === 'tenant') {
        const { fields } = record
        tokensRead = tokensOf({
          domainsToken: fields.get('domains'),
          stateToken: fields.get('state'),
        })
      }
      lines.push(formatRecord(record))
    }
    return lines.length === 0 ? undefined : { tokens: tokensRead, lines }
  }
}

interface Tokens {
  readonly domainsToken: string | null | undefined
  readonly stateToken: string | null | undefined
}

function tokensOf({ domainsToken, stateToken }: Tokens): string {
  return `${domainsToken} ${stateToken}`
}
