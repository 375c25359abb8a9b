import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { InputError, messageOf, UserError } from '../../base/errors'
import { shortTime } from '../../base/time'
import { assertRestored, lookAtKnownSchema } from '../../cli/kit/registry-guard'
import { spanText } from '../../cli/kit/went-back'
import { readWentBack } from '../../operations/lost-changes'
import { describeAnother, isAnother, type Epoch, type RegistryLook } from '../../registry/epoch'
import { reportMark } from '../../registry/lost-changes'
import type { Store } from '../../store/store'

/** How long an answer is good for a page, in ms. */
const FRESH = 5000

const NONE =
  'Redis holds no registry yet: tenantctl init begins one, or [redis] prefix names another one'

/** The registry that a console works with, kept in a file: after a loss Redis holds another one, or none. */
interface Known {
  readonly epoch: string
  /** ms since the epoch, server time. */
  readonly seenAt: number
}

/** Whether Redis still holds the registry that this console knows. */
export class KnownRegistry {
  private known: Known | undefined
  private last: { readonly at: number; readonly why: Promise<string | undefined> } | undefined

  /** @throws {InputError} the file cannot be read. */
  constructor(
    private readonly store: Store,
    private readonly file: string,
  ) {
    this.known = read(file)
  }

  /**
   * Why nothing may be written, for people; `undefined`: it may.
   *
   * @param isWrite something is to be written: what was known a few seconds ago does not do.
   * @throws what ioredis throws.
   */
  readOnly(isWrite: boolean): Promise<string | undefined> {
    if (isWrite || !this.last || performance.now() - this.last.at > FRESH) {
      const why = this.look()
      this.last = { at: performance.now(), why }
      // Who asked is told.
      why.catch(() => (this.last = undefined))
    }
    return this.last.why
  }

  private async look(): Promise<string | undefined> {
    const { store, known } = this
    try {
      const look = await lookAtKnownSchema(store)
      if (known && isAnother(look, known.epoch, known.seenAt)) return this.lost(look, known)
      await assertRestored(store)
      if (!look.epoch) return NONE
      this.keep(look.epoch, look.time)
    } catch (error) {
      if (error instanceof UserError) return error.message
      throw error
    }
    if ((await reportMark(store)) === undefined) return undefined
    const report = await readWentBack(store)
    return report?.isOpen
      ? `${spanText(report)}; tenantctl registry status shows what to do`
      : undefined
  }

  private keep({ epoch }: Epoch, seenAt: number): void {
    const isNew = epoch !== this.known?.epoch
    this.known = { epoch, seenAt }
    if (!isNew) return
    const next = `${this.file}.new`
    try {
      writeFileSync(next, `${JSON.stringify(this.known)}\n`, { mode: 0o600 })
      renameSync(next, this.file)
    } catch (error) {
      this.known = undefined
      throw new UserError(`${this.file} cannot be written: ${messageOf(error)}`, 1)
    }
  }

  private lost(look: RegistryLook, { epoch, seenAt }: Known): string {
    return `Redis held the registry ${epoch} at ${shortTime(seenAt)}, and holds ${describeAnother(look)}: bring it back with tenantctl restore FILE, or accept the current content with tenantctl init --force; if this console was pointed to another Redis, remove ${this.file} and start it again`
  }
}

function read(file: string): Known | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new InputError(`${file} cannot be read (${code})`)
  }
  try {
    const { epoch, seenAt } = JSON.parse(text) as Partial<Known>
    if (typeof epoch === 'string' && typeof seenAt === 'number') return { epoch, seenAt }
  } catch {
    // Told below.
  }
  throw new InputError(`${file} is damaged: remove it, if Redis holds the right registry`)
}
