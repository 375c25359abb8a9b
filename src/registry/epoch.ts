import { UserError } from '../base/errors'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken, type Mark } from '../records/token'
import { shortTime } from '../base/time'

const EPOCH = readScript(__dirname, 'epoch')
const ACCEPT = readScript(__dirname, 'accept')

/**
 * The format of the registry in Redis. Versions of one major understand each other; one that finds a higher major writes
 * nothing.
 */
export const SCHEMA = { major: 1, minor: 1 } as const

/** Identifies a registry: as long as Redis holds it, the epoch does not change. */
export interface Epoch {
  /** Opaque. */
  readonly epoch: string
  /** `MAJOR.MINOR` */
  readonly schema: string
  /** ms since 1970, server time: when it was created or confirmed. */
  readonly createdAt: number
  /** `operator`: a person has accepted the content of Redis as the registry. */
  readonly origin: 'automatic' | 'operator'
}

/** The registry in Redis at one moment. */
export interface RegistryLook {
  /** Server time, in ms since the epoch of Unix. */
  readonly time: number
  /** `undefined`: it has none. */
  readonly epoch: Epoch | undefined
  /** Number of tenants in its index. */
  readonly tenants: number
  /** Whether the given tenant is among them. */
  readonly indexed: boolean
  /** When an operator last accepted the content of Redis, as a {@link Mark}. */
  readonly accepted: Mark
  /** When an operator last accepted it without the restrictions that only processes knew. */
  readonly lifted: Mark
  /** The last time that a tenant was added or removed. */
  readonly changed: Mark
}

/** A later version has written the registry. */
export class SchemaError extends UserError {
  constructor(schema: string) {
    super(
      `Redis holds the registry in schema ${schema}, and this version reads ${SCHEMA.major}.x: use the later version that wrote it`,
      4,
    )
  }
}

/** Whether only later versions know the format of the registry. */
export function isNewer({ schema }: Epoch): boolean {
  return Number(schema.split('.')[0]) > SCHEMA.major
}

/**
 * Whether Redis holds no registry, or another one than the known one that no operator has accepted. Tenants without an
 * epoch prove nothing: a version that knows no epochs may have registered them after a loss.
 *
 * @param known its epoch.
 * @param seenAt server time at which it was last seen, in ms since the epoch of Unix.
 */
export function isAnother({ epoch }: RegistryLook, known: string, seenAt: number): boolean {
  if (epoch?.epoch === known) return false
  return epoch?.origin !== 'operator' || epoch.createdAt <= seenAt
}

/** What Redis holds instead of a known registry, for people. */
export function describeAnother({
  epoch,
  tenants,
}: Pick<RegistryLook, 'epoch' | 'tenants'>): string {
  const held = tenants === 1 ? '1 tenant' : `${tenants} tenants`
  if (epoch) return `another one, ${epoch.epoch} of ${shortTime(epoch.createdAt)} with ${held}`
  return tenants === 0 ? 'none' : `${held} without an epoch`
}

/** Reads the state of the registry. Writes nothing. */
export function lookAtRegistry(store: Store, tenant = ''): Promise<RegistryLook> {
  return call(store, 'look', '', tenant)
}

/** The epoch of the registry; `undefined`: it has none, since nothing is registered yet or all is lost. */
export async function readEpoch(store: Store): Promise<Epoch | undefined> {
  return (await lookAtRegistry(store)).epoch
}

/**
 * Gives the registry an epoch if it has none. Always a new one: with a known one, the content of Redis would be taken for
 * the registry that was lost.
 *
 * @throws {SchemaError} Redis holds a later schema.
 */
export async function ensureEpoch(store: Store): Promise<Epoch> {
  return understood(await call(store, 'begin', randomToken()))
}

/**
 * Accepts the current content of Redis as the registry, for an operator. All processes check it at once, and drop what
 * they have cached of another one.
 *
 * @param epoch of a registry that has been restored; else a new one.
 * @param options `lifts`: restrictions that Redis does not hold are lifted; else processes put them back.
 * @throws {SchemaError} Redis holds a later schema.
 */
export async function confirmEpoch(
  store: Store,
  epoch = randomToken(),
  { lifts = false } = {},
): Promise<Epoch> {
  return understood(await call(store, 'confirm', epoch, '', lifts))
}

/**
 * Accepts the current content of Redis after it went back in time: processes drop what they know and Redis does not hold,
 * except restrictions.
 *
 * @returns when that was.
 */
export async function acceptContent(store: Store): Promise<Mark> {
  return Number(await store.run(ACCEPT, [store.keys.epoch], []))
}

function understood({ epoch }: RegistryLook): Epoch {
  if (isNewer(epoch!)) throw new SchemaError(epoch!.schema)
  return epoch!
}

async function call(
  store: Store,
  how: 'look' | 'begin' | 'confirm',
  epoch: string,
  tenant = '',
  lifts = false,
): Promise<RegistryLook> {
  const { keys } = store
  const reply = (await store.run(
    EPOCH,
    [keys.epoch, keys.tenants],
    [how, epoch, SCHEMA.major, SCHEMA.minor, tenant, lifts ? 1 : 0],
  )) as [number, string, string, string, Epoch['origin'], number, number, ...marks: string[]]
  const [time, there, schema, createdAt, origin, tenants, indexed, ...marks] = reply
  const [accepted, lifted, changed] = marks.map(Number) as [Mark, Mark, Mark]
  return {
    time,
    epoch:
      there === ''
        ? undefined
        : { epoch: there, schema, createdAt: Number(createdAt) || 0, origin },
    tenants,
    indexed: indexed === 1,
    ...{ accepted, lifted, changed },
  }
}
