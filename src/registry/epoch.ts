import { UserError } from '../base/errors'
import { readScript } from '../store/script'
import type { Store } from '../store/store'
import { randomToken } from '../records/token'
import { shortTime } from '../base/time'

const EPOCH = readScript(__dirname, 'epoch')

/**
 * The form of what we keep in Redis. Versions of one major understand each other; one that meets a higher major writes
 * nothing.
 */
export const SCHEMA = { major: 1, minor: 1 } as const

/** What marks a registry as the same one that it was, for as long as Redis keeps it. */
export interface Epoch {
  /** Opaque. */
  readonly epoch: string
  /** `MAJOR.MINOR` */
  readonly schema: string
  /** ms since the epoch of Unix, server time: when it was given, or confirmed. */
  readonly createdAt: number
  /** `operator`: by the word of a person, who has said that the registry is right as it is. */
  readonly origin: 'automatic' | 'operator'
}

/** The registry as Redis has it at one moment. */
export interface RegistryLook {
  /** Server time, in ms since the epoch of Unix. */
  readonly time: number
  /** `undefined`: it has none. */
  readonly epoch: Epoch | undefined
  /** How many tenants its index names. */
  readonly tenants: number
  /** Whether the tenant that was asked for is among them. */
  readonly indexed: boolean
}

/** Redis holds what a later version has written. */
export class SchemaError extends UserError {
  constructor(schema: string) {
    super(
      `Redis holds the registry in schema ${schema}, and this version reads ${SCHEMA.major}.x: use the later version that wrote it`,
      4,
    )
  }
}

/** Whether a registry is in a form that only later versions know. */
export function isNewer({ schema }: Epoch): boolean {
  return Number(schema.split('.')[0]) > SCHEMA.major
}

/**
 * Whether Redis holds another registry than a known one, which no operator has put there in its place; or none. Tenants
 * without an epoch are no proof: what does not know of epochs may have registered them after a loss.
 *
 * @param known its epoch.
 * @param seenAt server time at which it was last seen, in ms since the epoch of Unix.
 */
export function isAnother({ epoch }: RegistryLook, known: string, seenAt: number): boolean {
  if (epoch?.epoch === known) return false
  return epoch?.origin !== 'operator' || epoch.createdAt <= seenAt
}

/** What Redis holds in the place of a known registry, for people. */
export function describeAnother({
  epoch,
  tenants,
}: Pick<RegistryLook, 'epoch' | 'tenants'>): string {
  const held = tenants === 1 ? '1 tenant' : `${tenants} tenants`
  if (epoch) return `another one, ${epoch.epoch} of ${shortTime(epoch.createdAt)} with ${held}`
  return tenants === 0 ? 'none' : `${held} without an epoch`
}

/** Looks at the registry, writing nothing. */
export function lookAtRegistry(store: Store, tenant = ''): Promise<RegistryLook> {
  return call(store, 'look', '', tenant)
}

/** The epoch of the registry; `undefined`: it has none, because nothing has been registered yet or all is lost. */
export async function readEpoch(store: Store): Promise<Epoch | undefined> {
  return (await lookAtRegistry(store)).epoch
}

/**
 * Gives the registry an epoch where it has none: always a new one, since a known one would pass what is there for what
 * was lost.
 *
 * @throws {SchemaError} Redis holds a later schema.
 */
export async function ensureEpoch(store: Store): Promise<Epoch> {
  return understood(await call(store, 'begin', randomToken()))
}

/**
 * Writes down an operator's word that the registry is right as it is. All processes look at once, and forget what they
 * knew of another one.
 *
 * @param epoch that of a registry which has been restored; else a new one.
 * @throws {SchemaError} Redis holds a later schema.
 */
export async function confirmEpoch(store: Store, epoch = randomToken()): Promise<Epoch> {
  return understood(await call(store, 'confirm', epoch))
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
): Promise<RegistryLook> {
  const { keys } = store
  const reply = (await store.run(
    EPOCH,
    [keys.epoch, keys.tenants],
    [how, epoch, SCHEMA.major, SCHEMA.minor, tenant],
  )) as [number, string, string, string, Epoch['origin'], number, number]
  const [time, there, schema, createdAt, origin, tenants, indexed] = reply
  return {
    time,
    epoch:
      there === ''
        ? undefined
        : { epoch: there, schema, createdAt: Number(createdAt) || 0, origin },
    tenants,
    indexed: indexed === 1,
  }
}
