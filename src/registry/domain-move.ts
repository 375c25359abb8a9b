import { tenantctl } from '../base/command-line'
import { retryConcurrent } from '../base/retry'
import { noSuchTenant, NotFoundError, RefusedError } from '../base/errors'
import { readScript } from '../store/script'
import { scanSet } from '../store/scan'
import type { Store } from '../store/store'
import { claim, findObstacles, removeInterrupted } from './claims'
import { putEntries, readEntries, removeEntries } from './domain-entries'
import { describeObstacle, ownerOf, readClaims } from './owners'
import { parseFlags } from './formats'
import { reconcileClaims } from './reconcile'
import { assertTenantExists } from './tenant-registry'

const MOVE = readScript(__dirname, 'owners_move')
const END = readScript(__dirname, 'owners_move_end')

type MoveReply =
  | ['moved', from: string, flags: string]
  | ['held', flags: string]
  | ['unfinished', from: string, owner: string]
  | ['unowned']
  | ['refused', owner: string, name: string]

/** A domain on its way from one tenant to another. */
export interface Move {
  readonly domain: string
  readonly from: string
  readonly to: string
}

/**
 * Moves an owned domain, with its flags, to another tenant: first its ownership, then the entry of the new tenant, then
 * that of the old one. Repeating an interrupted move completes it. Two tenants never own the domain at the same time.
 *
 * @param domain lower-case A-labels.
 * @returns `from` is the tenant that it left; `undefined`: the tenant had it already.
 * @throws {NotFoundError} no tenant owns it, or there is no such tenant.
 * @throws {RefusedError} it is registered as shared, or two tenants would cover one name.
 */
export async function moveDomain(
  store: Store,
  domain: string,
  to: string,
  by: string,
): Promise<{ from: string | undefined }> {
  const { keys } = store
  await assertTenantExists(store, to)
  let from: string | undefined
  return retryConcurrent(`the owner of ${domain} was`, async () => {
    const reply = (await store.run(
      MOVE,
      [keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerMoves],
      [domain, to],
    )) as MoveReply
    switch (reply[0]) {
      case 'moved':
        from = reply[1]
        if (await finishMove(store, { domain, from, to }, by)) return { from }
        throw noSuchTenant(to)
      case 'unfinished':
        if (
          (await finishMove(store, { domain, from: reply[1], to: reply[2] }, by)) &&
          reply[2] === to
        ) {
          from = reply[1]
        }
        return undefined
      case 'held':
        if (!(await holdEntry(store, to, domain, reply[1], by))) throw noSuchTenant(to)
        return { from }
      case 'refused':
        if (await removeInterrupted(store, [{ domain, owner: reply[1], name: reply[2] }])) {
          return undefined
        }
        throw new RefusedError(
          `${domain} cannot go to ${to}: ${reply[1]} also has ${reply[2]}, and both would cover one name; move or remove ${reply[2]} first`,
        )
      case 'unowned':
        throw await unowned(store, domain, to)
    }
  })
}

/**
 * Completes a move whose claim has been handed over.
 *
 * @returns `false`: the new tenant is gone, and the domain is back with the old one.
 */
export async function finishMove(
  store: Store,
  { domain, from, to }: Move,
  by: string,
): Promise<boolean> {
  const [claim] = await readClaims(store, [domain])
  // Another process has finished it.
  if (claim && claim.tenant !== to) return true
  const put = claim && (await putEntries(store, to, [{ ...claim, shared: false }], by, 'set'))
  if (put === undefined) {
    await endMove(store, { domain, from, to }, 'back')
    await reconcileClaims(store, from, [domain])
    return false
  }
  await removeEntries(store, from, [domain], 'owned')
  await endMove(store, { domain, from, to }, 'done')
  await reconcileClaims(store, to, [domain])
  await reconcileClaims(store, from, [domain])
  return true
}

/**
 * Restores a move that was begun and not finished.
 *
 * @param write `false`: only looks.
 * @returns `there`; `absent`: it is not, or was not before it was written; or why it cannot be, for people.
 */
export async function restoreMove(
  store: Store,
  { domain, from, to }: Move,
  subdomains: boolean,
  write: boolean,
): Promise<string> {
  const { client, keys } = store
  const [there] = await readClaims(store, [domain])
  if ((await client.hget(keys.ownerMoves, domain)) === from && there?.tenant === to) return 'there'
  const [obstacle] = await (write ? claim : findObstacles)(store, from, [{ domain, subdomains }])
  if (obstacle) return describeObstacle(obstacle)
  if (!write) return 'absent'
  const reply = (await store.run(
    MOVE,
    [keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerMoves],
    [domain, to],
  )) as MoveReply
  return reply[0] === 'refused' ? `${reply[1]} has ${reply[2]}` : 'absent'
}

/** Moves that were begun and not finished: in progress, or interrupted. */
export async function unfinishedMoves(store: Store): Promise<Move[]> {
  const leaving = Object.entries(await store.client.hgetall(store.keys.ownerMoves))
  const claims = await readClaims(
    store,
    leaving.map(([domain]) => domain),
  )
  return leaving.map(([domain, from], at) => ({ domain, from, to: claims[at]?.tenant ?? '' }))
}

function endMove(store: Store, { domain, from, to }: Move, outcome: 'done' | 'back') {
  const { keys } = store
  return store.run(
    END,
    [keys.ownerNames, keys.ownerIndex, keys.ownerVersion, keys.ownerMoves],
    [domain, from, to, outcome],
  )
}

/** Adds the entry that an interrupted addition has not written. */
async function holdEntry(
  store: Store,
  tenant: string,
  domain: string,
  flags: string,
  by: string,
): Promise<boolean> {
  const [entry] = await readEntries(store, tenant, [domain])
  if (entry && !entry.shared) return true
  const put = await putEntries(store, tenant, [{ domain, ...parseFlags(flags) }], by, 'set')
  await reconcileClaims(store, tenant, [domain])
  return put !== undefined
}

async function unowned(store: Store, domain: string, to: string): Promise<Error> {
  const sharer = await sharerOf(store, domain, to)
  if (sharer !== undefined) {
    return new RefusedError(
      `${domain} is shared, so nobody owns it: add it to ${to} (${tenantctl('domain', 'add', to, domain, '--shared')}), and remove it from ${sharer} if it is to go`,
    )
  }
  const owner = await ownerOf(store, domain)
  return new NotFoundError(
    owner === undefined
      ? `nobody owns ${domain}: add it (${tenantctl('domain', 'add', to, domain)})`
      : `${domain} is no accepted domain of its own, it lies below one of ${owner}: ${tenantctl('domain', 'list', owner)} shows which`,
  )
}

/** Some tenant that has the domain as shared. Reads the lists of all tenants, for an error message only. */
async function sharerOf(store: Store, domain: string, first: string): Promise<string | undefined> {
  const { client, keys } = store
  if (await client.hexists(keys.domains(first), domain)) return first
  for await (const tenants of scanSet(store, keys.tenants)) {
    const found = await Promise.all(tenants.map((id) => client.hexists(keys.domains(id), domain)))
    const at = found.indexOf(1)
    if (at !== -1) return tenants[at]
  }
  return undefined
}
