import type { Command } from 'commander'
import { InputError } from '../../base/errors'
import type { Tenant } from '../../mail/tenant'
import { allRows } from './all-rows'

/** Which tenants a list shows, and in what order. */
export interface Choice<Key extends string> {
  readonly filter?: string
  readonly restricted?: boolean
  readonly near?: boolean
  readonly sort: Key
  readonly limit?: number
}

/** By each key of `--sort`, what comes first. */
export type Orders<Key extends string, T> = Readonly<Record<Key, (a: T, b: T) => number>>

/** Gives a list of tenants the options of a {@link Choice}. Its order is the first one of `orders` by default. */
export function withChoice<Key extends string, T>(
  command: Command,
  orders: Orders<Key, T>,
): Command {
  const [usual, ...others] = Object.keys(orders)
  return command
    .option('--filter <text>', 'only tenants whose id or name contains it')
    .option('--restricted', 'only those that are restricted')
    .option('--near', 'only those past the lowest percentage of [allowance] warn_at')
    .option(
      '--sort <key>',
      [usual, ...others].join(', '),
      (key) => {
        if (Object.hasOwn(orders, key)) return key
        throw new InputError(`--sort "${key}" is not one of ${[usual, ...others].join(', ')}`)
      },
      usual,
    )
    .option('--limit <n>', 'only the first ones', (text) => {
      if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
      throw new InputError(`--limit "${text}" is not a whole number from 1 on`)
    })
    .addOption(allRows())
}

/** The tenants that `--filter` lets through: what needs no other reading. */
export function filtered(tenants: readonly Tenant[], { filter }: Choice<string>): Tenant[] {
  const text = filter?.toLowerCase() ?? ''
  return tenants.filter(({ id, name }) => id.includes(text) || name.toLowerCase().includes(text))
}

/** The first ones of `list` in the order that was asked for. */
export function ordered<Key extends string, T>(
  list: readonly T[],
  orders: Orders<Key, T>,
  { sort, limit }: Choice<Key>,
): T[] {
  return list.toSorted(orders[sort]).slice(0, limit)
}

/** What is said where no tenant is shown. */
export function noTenants({ filter, restricted, near }: Choice<string>): string {
  if ((filter ?? restricted ?? near) !== undefined) return 'no tenant is like that'
  return 'no tenants; add one with: tenantctl tenant add ID'
}

/** Orders texts as Redis does. */
export function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
